/**
 * The guard before what cannot be read: the server of procedures decodes a call before it asks the middleware, so a
 * payload that is none, or a procedure that there is not, would tell anybody what is wrong with it and leave no trace.
 * Here whoever makes such a call is asked for the role first; operators are told what is wrong.
 */
import { Effect, Exit, Schema } from "effect"
import { Headers } from "effect/http"
import { RpcMessage, type RpcServer } from "effect/rpc"
import type { Admission } from "./Admission.ts"
import { Refused } from "./api/Failures.ts"
import { OperatorApi } from "./OperatorApi.ts"

type Protocol = RpcServer.Protocol["Service"]

/** What was sent may be of any size and depth: the audit log has this in its place. */
const unreadable = "(not readable)"

export const before = (protocol: Protocol, { admit }: Admission["Service"]): Protocol => {
  const encode = Schema.encodeEffect(protocol.codecFor(Refused))
  const readers = new Map(
    Array.from(OperatorApi.requests, ([tag, { payloadSchema }]) => [
      tag,
      Schema.decodeUnknownExit(protocol.codecFor(payloadSchema)),
    ]),
  )

  const isReadable = ({ id, payload, tag }: RpcMessage.RequestEncoded): boolean => {
    const read = readers.get(tag)
    return isId(id) && read !== undefined && Exit.isSuccess(read(payload))
  }

  const refuse = (clientId: number, id: string | number, refused: Refused) =>
    Effect.flatMap(Effect.orDie(encode(refused)), (error) =>
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
        if (message._tag !== "Request" || isReadable(message)) return receive(clientId, message)
        const { headers, id, isNotification, tag } = message
        const act = OperatorApi.requests.has(tag) ? tag : "(unknown)"
        return Effect.matchEffect(admit({ act, headers: headersOf(headers), payload: unreadable }), {
          onSuccess: () => receive(clientId, message),
          // Without an id nobody can be answered; the server says so.
          onFailure: (refused) =>
            isNotification === true
              ? Effect.void
              : isId(id)
                ? refuse(clientId, id, refused)
                : receive(clientId, message),
        })
      }),
  }
}

const isId = (id: unknown): id is string | number => typeof id === "string" || typeof id === "number"

/** Those of the message came as JSON of anybody's making. */
const headersOf = (given: unknown): Headers.Headers =>
  Headers.fromInput(
    Array.isArray(given)
      ? given.filter(
          (pair): pair is [string, string] =>
            Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string"),
        )
      : [],
  )
