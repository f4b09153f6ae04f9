/**
 * The guard before what cannot be read: the server of procedures decodes a call before it asks the middleware, so a
 * payload that is none, or a procedure that there is not, would tell anybody what is wrong with it and leave no trace.
 * Here whoever makes such a call is asked for the role first; operators are told what is wrong.
 */
import { Effect, Exit, Schema } from "effect"
import { Headers } from "effect/http"
import { RpcMessage, type RpcServer } from "effect/rpc"
import type { OperatorAuth } from "./OperatorAuth.ts"
import { AccessDenied } from "./api/Errors.ts"
import { OperatorApi } from "./OperatorApi.ts"

type Protocol = RpcServer.Protocol["Service"]

/** What was sent may be of any size and depth: the audit log has this in its place. */
const malformedPayload = "(not readable)"

export const guardProtocol = (protocol: Protocol, { authorize }: OperatorAuth["Service"]): Protocol => {
  const encode = Schema.encodeEffect(protocol.codecFor(AccessDenied))
  const payloadDecoders = new Map(
    Array.from(OperatorApi.requests, ([tag, { payloadSchema }]) => [
      tag,
      Schema.decodeUnknownExit(protocol.codecFor(payloadSchema)),
    ]),
  )

  const isWellFormed = ({ id, payload, tag }: RpcMessage.RequestEncoded): boolean => {
    const decode = payloadDecoders.get(tag)
    return isId(id) && decode !== undefined && Exit.isSuccess(decode(payload))
  }

  const deny = (clientId: number, id: string | number, denied: AccessDenied) =>
    Effect.flatMap(Effect.orDie(encode(denied)), (error) =>
      protocol.send(clientId, {
        _tag: "Exit",
        requestId: RpcMessage.RequestId(id),
        exit: { _tag: "Failure", cause: [{ _tag: "Fail", error }] },
      }),
    )

  return {
    ...protocol,
    run: (receive) =>
      protocol.run((clientId, message) => {
        if (message._tag !== "Request" || isWellFormed(message)) return receive(clientId, message)
        const { headers, id, isNotification, tag } = message
        const action = OperatorApi.requests.has(tag) ? tag : "(unknown)"
        return Effect.matchEffect(authorize({ action, headers: toHeaders(headers), payload: malformedPayload }), {
          onSuccess: () => receive(clientId, message),
          // Without an id nobody can be answered; the server says so.
          onFailure: (denied) =>
            isNotification === true ? Effect.void : isId(id) ? deny(clientId, id, denied) : receive(clientId, message),
        })
      }),
  }
}

const isId = (id: unknown): id is string | number => typeof id === "string" || typeof id === "number"

/** Those of the message came as JSON of anybody's making. */
const toHeaders = (input: unknown): Headers.Headers =>
  Headers.fromInput(
    Array.isArray(input)
      ? input.filter(
          (pair): pair is [string, string] =>
            Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string"),
        )
      : [],
  )
