import { behaviour } from "./support/OperatorApiBehaviour.ts";
import { inMemory, overHttp, overWebSocket } from "./support/OperatorHarness.ts";
behaviour("the operators' API in the process", inMemory);
behaviour("the operators' API over HTTP", overHttp);
behaviour("the operators' API over a WebSocket", overWebSocket);
