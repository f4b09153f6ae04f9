/**
 * Authorizes malformed requests. The RPC server decodes a request before it runs the middleware, so a malformed payload
 * or an unknown procedure would reveal details to an unauthorized caller and leave no audit entry. Here the caller's
 * role is checked first; only operators receive the details.
 */
import { Effect, Exit, Schema } from "effect";
import { Headers } from "effect/http";
import { RpcMessage } from "effect/rpc";
import { AccessDenied } from "./api/Errors.ts";
import { OperatorApi } from "./OperatorApi.ts";
/** The payload may have any size and depth: the audit log has this placeholder instead. */
const malformedPayload = "(not readable)";
export const guardProtocol = (protocol, { authorize }) => {
    const encode = Schema.encodeEffect(protocol.codecFor(AccessDenied));
    const payloadDecoders = new Map(Array.from(OperatorApi.requests, ([tag, { payloadSchema }]) => [
        tag,
        Schema.decodeUnknownExit(protocol.codecFor(payloadSchema)),
    ]));
    const isWellFormed = ({ id, payload, tag }) => {
        const decode = payloadDecoders.get(tag);
        return isId(id) && decode !== undefined && Exit.isSuccess(decode(payload));
    };
    const deny = (clientId, id, denied) => Effect.flatMap(Effect.orDie(encode(denied)), (error) => protocol.send(clientId, {
        _tag: "Exit",
        requestId: RpcMessage.RequestId(id),
        exit: { _tag: "Failure", cause: [{ _tag: "Fail", error }] },
    }));
    return {
        ...protocol,
        run: (receive) => protocol.run((clientId, message) => {
            if (message._tag !== "Request" || isWellFormed(message))
                return receive(clientId, message);
            const { headers, id, isNotification, tag } = message;
            const action = OperatorApi.requests.has(tag) ? tag : "(unknown)";
            return Effect.matchEffect(authorize({ action, headers: toHeaders(headers), payload: malformedPayload }), {
                onSuccess: () => receive(clientId, message),
                // A request without an id cannot be answered; the server reports it.
                onFailure: (denied) => isNotification === true ? Effect.void : isId(id) ? deny(clientId, id, denied) : receive(clientId, message),
            });
        }),
    };
};
const isId = (id) => typeof id === "string" || typeof id === "number";
/** Headers in the message are untrusted JSON. */
const toHeaders = (input) => Headers.fromInput(Array.isArray(input)
    ? input.filter((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string"))
    : []);
