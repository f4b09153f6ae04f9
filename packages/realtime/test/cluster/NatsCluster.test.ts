/**
 * Three nodes as processes of their own over a real NATS, and people spread over them: what they hear, and whom they see,
 * through a kill -9, a cut between one node and NATS, and a rolling restart under load.
 */
import * as Tokens from "@armoricore/auth/Tokens"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import * as TcpProxy from "@armoricore/testing/TcpProxy"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { type NodeProcess, start } from "../support/NodeProcess.ts"
import { RoomClient } from "../support/RoomClient.ts"
import { until } from "../support/TestCluster.ts"

const secret = "a-test-secret-that-is-long-enough-for-hs256"
const room = "chat:room:square"

const tokenOf = (userId: string) =>
  Effect.flatMap(Tokens.Tokens, (tokens) => tokens.sign({ userId, ttl: Duration.hours(1) })).pipe(
    Effect.provide(Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })),
    Effect.orDie,
  )

const city = Effect.gen(function* () {
  const nats = yield* NatsServer.make()
  const proxy = yield* TcpProxy.make(nats.port)
  const launch = (port = nats.port) =>
    start({ nats: `nats://127.0.0.1:${port}`, secret, heartbeatMillis: 500, lostMillis: 2_500 })
  /** Where a load balancer would send people. */
  const nodes: Array<NodeProcess> = []
  for (const port of [nats.port, nats.port, proxy.port]) nodes.push(yield* launch(port))
  let turn = 0
  const person = Effect.fnUntraced(function* (name: string, home?: number) {
    const token = yield* tokenOf(name)
    const address = () => {
      const node = (home === undefined ? undefined : nodes[home]) ?? nodes[turn++ % nodes.length]
      return `ws://127.0.0.1:${node?.port}/socket/websocket?vsn=2.0.0&token=${token}`
    }
    return yield* Effect.acquireRelease(
      Effect.sync(() => new RoomClient(name, room, address)),
      (one) => Effect.sync(() => one.leave()),
    )
  })
  return { proxy, launch, nodes, person }
})

const heardAll = (people: ReadonlyArray<RoomClient>, count: number) =>
  until(() => people.every(({ received, isIdle }) => isIdle && received.length >= count)).pipe(
    Effect.mapError(() => new Error(`not all heard ${count}: ${shown(people)}`)),
  )

const shown = (people: ReadonlyArray<RoomClient>) =>
  people
    .map(
      ({ name, received, present, isIdle }) => `${name}: ${received.length} heard, ${isIdle}, sees ${present.join()}`,
    )
    .join("; ")

const agree = (people: ReadonlyArray<RoomClient>) => {
  const expected = people
    .map(({ name }) => name)
    .sort()
    .join()
  return until(() => people.every(({ present }) => present.join() === expected)).pipe(
    Effect.mapError(() => new Error(`not all see ${expected}: ${shown(people)}`)),
  )
}

const contents = ({ received }: RoomClient) => received.map(({ content }) => content)

const assertOnce = (people: ReadonlyArray<RoomClient>) => {
  const said = people.flatMap((person) => person.acknowledged).sort()
  for (const person of people) {
    assert.deepStrictEqual(person.duplicates, [], `${person.name} heard something twice`)
    assert.deepStrictEqual([...contents(person)].sort(), said, `${person.name} heard`)
    assert.strictEqual(person.incompleteRecoveries, 0)
  }
}

describe.skipIf(Programs.requireProgram("nats-server").missing)("three nodes on NATS", () => {
  it.live(
    "what is said comes once and in one order; presence agrees after a kill -9, and after a cut that healed",
    () =>
      Effect.gen(function* () {
        const { proxy, nodes, person } = yield* city
        const people = yield* Effect.forEach([0, 1, 2, 0, 1, 2], (home, index) => person(`u${index}`, home))
        yield* agree(people)
        for (let n = 0; n < 20; n++) for (const one of people) one.say(`${one.name}-${n}`)
        yield* heardAll(people, 120)
        assertOnce(people)
        const [first] = people
        for (const one of people) assert.deepStrictEqual(contents(one), first === undefined ? [] : contents(first))

        yield* proxy.goDown
        // Those on the cut node see only each other, and are seen by nobody.
        const onCutNode = people.filter((_, index) => index % 3 === 2)
        const others = people.filter((_, index) => index % 3 !== 2)
        for (const one of people) one.say(`${one.name}-cut`)
        yield* until(() =>
          onCutNode.every((one) => contents(one).includes("u2-cut") && contents(one).includes("u5-cut")),
        )
        yield* agree(others)
        yield* agree(onCutNode)
        yield* proxy.restore
        yield* heardAll(people, 126)
        yield* agree(people)
        assertOnce(people)

        const [killed] = nodes.splice(1, 1)
        yield* killed?.end("SIGKILL") ?? Effect.void
        const left = people.filter((_, index) => index % 3 !== 1)
        const fled = people.filter((_, index) => index % 3 === 1)
        for (const one of fled) one.leave()
        yield* agree(left)
      }),
    90_000,
  )

  it.live(
    "a rolling restart under load loses nothing, doubles nothing, and leaves nobody behind in the room",
    () =>
      Effect.gen(function* () {
        const { launch, nodes, person } = yield* city
        const people = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (index) => person(`u${index}`))
        yield* agree(people)
        let count = 0
        const load = yield* Effect.forkScoped(
          Effect.forever(
            Effect.andThen(
              Effect.sync(() => {
                people[count % people.length]?.say(`n${count}`)
                count++
              }),
              Effect.sleep("10 millis"),
            ),
          ),
        )
        for (let index = 0; index < 3; index++) {
          const [old] = nodes.splice(0, 1)
          const next = yield* launch()
          nodes.push(next)
          yield* old?.end("SIGTERM") ?? Effect.void
          yield* until(() => people.every(({ isJoined }) => isJoined))
        }
        load.interruptUnsafe()
        yield* heardAll(people, count)
        assertOnce(people)
        yield* agree(people)
      }),
    90_000,
  )

  it.live(
    "blue-green: a canary is one of them, then all move to the new nodes under load; nothing is lost or doubled",
    () =>
      Effect.gen(function* () {
        const { launch, nodes, person } = yield* city
        const moved = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (index) => person(`u${index}`))
        yield* agree(moved)
        let count = 0
        const load = yield* Effect.forkScoped(
          Effect.forever(
            Effect.andThen(
              Effect.sync(() => {
                moved[count % moved.length]?.say(`n${count}`)
                count++
              }),
              Effect.sleep("10 millis"),
            ),
          ),
        )
        const blue = [...nodes]
        const green = [yield* launch()]
        // The canary alone is one of four; whoever comes to it talks with the others.
        nodes.unshift(...green)
        const people = [...moved, yield* person("canary", 0)]
        yield* agree(people)
        green.push(yield* launch())
        // The load balancer sends everybody to the new ones; who is connected stays until the old ones end.
        nodes.splice(0, nodes.length, ...green)
        yield* Effect.forEach(blue, (old) => old.end("SIGTERM"), { concurrency: "unbounded", discard: true })
        yield* until(() => people.every(({ isJoined }) => isJoined))
        load.interruptUnsafe()
        yield* heardAll(moved, count)
        assertOnce(moved)
        assert.deepStrictEqual(
          people.map(({ closeCodes }) => closeCodes),
          [...moved.map(() => [1012]), []],
        )
        yield* agree(people)
      }),
    90_000,
  )
})
