/// <reference path="../../realtime/test/phoenix.d.ts" />
