/** The fields of `push`, payload rules and times to live, as FCM, APNs and Web Push document them. */
import { FakeApns } from "@armoricore/testing/fakes/FakeApns";
import { FakeFcm } from "@armoricore/testing/fakes/FakeFcm";
import { FakePushService } from "@armoricore/testing/fakes/FakePushService";
import * as TcpProxy from "@armoricore/testing/TcpProxy";
import { UserPreferences } from "@armoricore/state/UserPreferences";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Redacted } from "effect";
import { ProviderRegistry } from "../../../src/provider/Provider.ts";
import * as Apns from "../../../src/providers/push/Apns.ts";
import * as Fcm from "../../../src/providers/push/Fcm.ts";
import { blockedReason, isPublic } from "../../../src/providers/PublicAddress.ts";
import * as WebPush from "../../../src/providers/push/WebPush.ts";
import { awaitFinal, ports, publishRequest, service } from "../../support/NotifyHarness.ts";
const day = 86_400_000;
const messageTo = (target, more = {}) => ({
    deliveryId: "n.fcm.0",
    notificationId: "n",
    userId: "u",
    target,
    title: "Hello",
    text: "World",
    data: {},
    uuid: "0190a1b2-c3d4-8e5f-aa9b-0c1d2e3f4a5b",
    attachments: [],
    ...more,
});
const apnsOf = (port, more = {}) => Effect.flatMap(FakeApns, ({ baseUrl, ca, key, keyId, teamId, topic }) => Apns.make({
    baseUrl: port === undefined ? baseUrl : baseUrl.replace(/:\d+$/, `:${port}`),
    ca,
    key,
    keyId,
    teamId,
    topic,
    ...more,
}));
const apnsTarget = { channel: "apns", token: `ee${"0".repeat(62)}` };
const fcmOf = Effect.flatMap(FakeFcm, ({ baseUrl, serviceAccount }) => Fcm.make({ baseUrl, serviceAccount }));
const fcmTarget = { channel: "fcm", token: "device-1" };
const webPushOf = Effect.flatMap(FakePushService, ({ ca, vapid }) => WebPush.make({
    publicKey: vapid.publicKey,
    privateKey: Redacted.make(vapid.privateKey),
    subject: "mailto:ops@example.com",
    privateEndpoints: { ca },
}));
const fcmMessage = (provider, more) => Effect.gen(function* () {
    const { sent } = yield* FakeFcm;
    yield* provider.send(messageTo(fcmTarget, more));
    return JSON.parse(JSON.stringify(sent.at(-1)?.message));
});
const apnsPush = (provider, more) => Effect.gen(function* () {
    const { sent } = yield* FakeApns;
    yield* provider.send(messageTo(apnsTarget, more));
    const { headers = {}, payload } = sent.at(-1) ?? {};
    return { type: headers["apns-push-type"], priority: headers["apns-priority"], payload };
});
const push = {
    sound: "ding.caf",
    badge: 3,
    image: "https://example.com/a.png",
    category: "MESSAGE",
    thread_id: "room-1",
    priority: "normal",
    actions: [{ action: "reply", title: "Reply" }],
};
describe("the fields of push", () => {
    it.live("reach APNs", () => Effect.gen(function* () {
        const provider = yield* apnsOf();
        assert.deepStrictEqual(yield* apnsPush(provider, { push, data: { a: 1 } }), {
            type: "alert",
            priority: "5",
            payload: {
                a: 1,
                image: "https://example.com/a.png",
                actions: [{ action: "reply", title: "Reply" }],
                aps: {
                    alert: { title: "Hello", body: "World" },
                    sound: "ding.caf",
                    badge: 3,
                    category: "MESSAGE",
                    "thread-id": "room-1",
                    "mutable-content": 1,
                },
            },
        });
        const plain = yield* apnsPush(provider, {});
        assert.deepInclude(plain, { type: "alert", priority: "10" });
        assert.deepStrictEqual(plain.payload, { aps: { alert: { title: "Hello", body: "World" }, sound: "default" } });
        const quiet = yield* apnsPush(provider, { push: { sound: false } });
        assert.deepStrictEqual(quiet.payload, { aps: { alert: { title: "Hello", body: "World" } } });
    }).pipe(Effect.provide(FakeApns.layer)));
    it.live("the app of a device chooses the topic of APNs and the project of FCM", () => Effect.gen(function* () {
        const apns = yield* FakeApns;
        const apnsProvider = yield* apnsOf(undefined, { apps: new Map([["driver", apns.otherTopic]]) });
        const fake = yield* FakeFcm;
        const fcm = yield* Fcm.make({ baseUrl: fake.baseUrl, serviceAccount: fake.serviceAccount, apps: fake.apps });
        yield* apnsProvider.send(messageTo(apnsTarget));
        yield* apnsProvider.send(messageTo({ ...apnsTarget, app: "driver" }));
        assert.deepStrictEqual(apns.sent.map(({ headers }) => headers["apns-topic"]), [apns.topic, apns.otherTopic]);
        const names = yield* Effect.forEach([fcmTarget, { ...fcmTarget, app: "driver" }], (target) => Effect.map(fcm.send(messageTo(target)), ({ providerId }) => providerId?.split("/messages/")[0]));
        assert.deepStrictEqual(names, ["projects/fake-project", "projects/fake-project-driver"]);
        for (const [provider, target, setting] of [
            [apnsProvider, { ...apnsTarget, app: "rider" }, "APNS_APPS"],
            [fcm, { ...fcmTarget, app: "rider" }, "FCM_APPS"],
        ]) {
            const error = yield* Effect.flip(provider.send(messageTo(target)));
            assert.deepInclude(error, { _tag: "PermanentError", code: "unknown_app" });
            assert.include(error.message, setting);
        }
    }).pipe(Effect.provide(Layer.fresh(Layer.merge(FakeApns.layer, FakeFcm.layer))), Effect.scoped));
    it.live("a topic and a condition of FCM are sent as such, and invalid ones fail before the call", () => Effect.gen(function* () {
        const condition = "'news' in topics && !('fr' in topics || 'de' in topics)";
        const targets = [{ fcm_topic: "/topics/news" }, { fcm_condition: condition }, { fcm_topic: "invalid-topic" }];
        // The preferences of the sender do not concern the devices of a topic.
        yield* (yield* UserPreferences).put("u", { categories: { "*": { push: false } } });
        const state = yield* awaitFinal(yield* publishRequest({ recipients: targets }));
        const { sent } = yield* FakeFcm;
        assert.sameDeepMembers(sent.map(({ message: { condition: when, token, topic } }) => ({ when, token, topic })), [
            { when: undefined, token: undefined, topic: "news" },
            { when: condition, token: undefined, topic: undefined },
        ]);
        assert.deepStrictEqual(state?.deliveries.map(({ summary }) => summary?.reason), [undefined, undefined, "bad_request"]);
        for (const recipient of [
            { fcm_topic: "two words" },
            { fcm_condition: "news" },
            { fcm_condition: "'a' in topics || " },
            { fcm_condition: "('a' in topics" },
            { fcm_condition: Array.from({ length: 6 }, (_, index) => `'${index}' in topics`).join(" || ") },
        ]) {
            const failed = yield* awaitFinal(yield* publishRequest({ recipients: [recipient] }));
            assert.deepNestedInclude(failed, { "deliveries[0].summary.reason": "malformed_topic" });
        }
        assert.lengthOf(sent, 2);
    }).pipe(Effect.provide(service(Layer.unwrap(Effect.map(FakeFcm, ({ baseUrl, serviceAccount }) => Fcm.layer({ baseUrl, serviceAccount })))).pipe(Layer.provideMerge(Layer.provideMerge(UserPreferences.layer, Layer.merge(ports, FakeFcm.layer))), Layer.fresh))));
    it.live("a Live Activity has Apple's push type and topic, and its required keys are checked", () => Effect.gen(function* () {
        const provider = yield* apnsOf();
        const { sent, topic } = yield* FakeApns;
        const aps = { event: "update", timestamp: 1_800_000_000, "content-state": { score: "2:1" } };
        const message = messageTo(apnsTarget, { title: "", text: "", data: { aps } });
        yield* provider.send(message);
        const { headers, payload } = sent.at(-1) ?? {};
        assert.deepInclude(headers, { "apns-push-type": "liveactivity", "apns-topic": `${topic}.push-type.liveactivity` });
        assert.deepStrictEqual(payload, { aps });
        const { timestamp: _timestamp, ...undated } = aps;
        for (const wrong of [undated, { ...aps, event: "pause" }, { event: "start", timestamp: 1 }]) {
            const refused = yield* Effect.flip(provider.send({ ...message, data: { aps: wrong } }));
            assert.match(refused.message, /^data\.aps\.(timestamp|event|content-state) is /);
        }
    }).pipe(Effect.provide(FakeApns.layer)));
    // regression: `data.aps` was dropped, so that a silent push was impossible
    it.live("a silent push to APNs is a background push with nothing to show", () => Effect.gen(function* () {
        const provider = yield* apnsOf();
        const silent = { type: "background", priority: "5" };
        const aps = { "content-available": 1 };
        assert.deepStrictEqual(yield* apnsPush(provider, { push: { silent: true, badge: 1 }, data: { sync: "x" } }), {
            ...silent,
            payload: { sync: "x", aps },
        });
        assert.deepStrictEqual(yield* apnsPush(provider, { title: "", text: "", data: { aps } }), {
            ...silent,
            payload: { aps },
        });
        // With texts, the alert is shown and the app is woken too.
        assert.deepStrictEqual(yield* apnsPush(provider, { data: { aps } }), {
            type: "alert",
            priority: "10",
            payload: { aps: { ...aps, sound: "default", alert: { title: "Hello", body: "World" } } },
        });
    }).pipe(Effect.provide(FakeApns.layer)));
    it.live("reach FCM for Android, Apple devices and browsers", () => Effect.gen(function* () {
        const message = yield* fcmMessage(yield* fcmOf, { push, data: { a: 1 }, collapseKey: "k" });
        assert.deepStrictEqual(message.notification, {
            title: "Hello",
            body: "World",
            image: "https://example.com/a.png",
        });
        assert.deepStrictEqual(message.data, { a: "1", actions: '[{"action":"reply","title":"Reply"}]' });
        assert.deepStrictEqual(message.android, {
            notification: { tag: "k", sound: "ding.caf", notification_count: 3, channel_id: "MESSAGE" },
            priority: "NORMAL",
            collapse_key: "k",
        });
        assert.deepInclude(message.apns, {
            payload: {
                aps: { sound: "ding.caf", badge: 3, category: "MESSAGE", "thread-id": "room-1", "mutable-content": 1 },
            },
            fcm_options: { image: "https://example.com/a.png" },
        });
        assert.strictEqual(message.apns.headers["apns-priority"], "5");
        assert.deepStrictEqual(message.webpush, {
            headers: { Urgency: "normal" },
            notification: { tag: "k", actions: [{ action: "reply", title: "Reply" }] },
        });
    }).pipe(Effect.provide(FakeFcm.layer)));
    it.live("a silent push to FCM has only data", () => Effect.gen(function* () {
        const silent = { push: { silent: true }, data: { sync: "x" } };
        const message = yield* fcmMessage(yield* fcmOf, silent);
        assert.notProperty(message, "notification");
        assert.notProperty(message.android, "notification");
        assert.notProperty(message.webpush, "notification");
        assert.deepStrictEqual(message.data, { sync: "x" });
        assert.deepStrictEqual(message.apns.payload, { aps: { "content-available": 1 } });
        assert.deepInclude(message.apns.headers, { "apns-push-type": "background", "apns-priority": "5" });
    }).pipe(Effect.provide(FakeFcm.layer)));
    it.live("reach the service worker of a browser", () => Effect.gen(function* () {
        const fake = yield* FakePushService;
        const provider = yield* webPushOf;
        yield* provider.send(messageTo({ channel: "web_push", subscription: fake.subscribe() }, { push }));
        assert.deepStrictEqual(fake.received[0]?.payload, {
            title: "Hello",
            body: "World",
            data: {},
            tag: "0190a1b2-c3d4-8e5f-aa9b-0c1d2e3f4a5b",
            image: "https://example.com/a.png",
            actions: [{ action: "reply", title: "Reply" }],
            badge_count: 3,
            category: "MESSAGE",
            thread_id: "room-1",
            sound: "ding.caf",
        });
        assert.strictEqual(fake.received[0]?.urgency, "normal");
    }).pipe(Effect.provide(FakePushService.layer)));
    it.live("are read from the request, or from data.push, and its collapse key wins", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        for (const payload of [
            { push: { badge: 7, collapse_key: "inner", priority: null }, collapse_key: "outer" },
            { data: { a: 1, push: { badge: 7, collapse_key: "inner" } }, collapse_key: "outer" },
        ]) {
            const state = yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token: apnsTarget.token }], ...payload }));
            assert.strictEqual(state?.status, "sent");
            assert.strictEqual(fake.sent.at(-1)?.collapseId, "inner");
            const aps = fake.sent.at(-1)?.payload["aps"];
            assert.deepInclude(aps, { badge: 7 });
            assert.notProperty(fake.sent.at(-1)?.payload, "push");
        }
        // A field of `data` that has another form stays data.
        yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token: apnsTarget.token }], data: { push: "yes" } }));
        assert.strictEqual(fake.sent.at(-1)?.payload["push"], "yes");
    }).pipe(Effect.provide(service(Layer.effectDiscard(Effect.flatMap(apnsOf(), (provider) => Effect.flatMap(ProviderRegistry, (all) => all.register(provider))))).pipe(Layer.provideMerge(Layer.merge(ports, FakeApns.layer))))));
});
describe("the time to live", () => {
    // regression: FCM refused every push that expired more than 28 days later, and the token was blamed
    it.live("is at most 2,419,200 s for FCM and Web Push", () => Effect.gen(function* () {
        const expiresAt = Date.now() + 60 * day;
        const message = yield* fcmMessage(yield* fcmOf, { expiresAt });
        assert.strictEqual(message.android.ttl, "2419200s");
        assert.strictEqual(message.webpush.headers.TTL, "2419200");
        assert.approximately(Number(message.apns.headers["apns-expiration"]), Date.now() / 1000 + 2_419_200, 60);
        const fake = yield* FakePushService;
        const provider = yield* webPushOf;
        yield* provider.send(messageTo({ channel: "web_push", subscription: fake.subscribe() }, { expiresAt }));
        assert.strictEqual(fake.received[0]?.ttl, "2419200");
    }).pipe(Effect.provide([FakeFcm.layer, FakePushService.layer])));
});
describe("payload rules", () => {
    for (const key of ["from", "message_type", "google.x", "gcm.notification"]) {
        it.live(`data.${key} is refused before FCM is called, and named`, () => Effect.gen(function* () {
            const provider = yield* fcmOf;
            const error = yield* Effect.flip(provider.send(messageTo(fcmTarget, { data: { [key]: "x" } })));
            assert.deepInclude(error, { _tag: "PermanentError", code: "reserved_key" });
            assert.include(error.message, `data.${key} `);
            const fake = yield* FakeFcm;
            assert.strictEqual(fake.accessTokensIssued(), 0);
            assert.isEmpty(fake.requestedTokens);
        }).pipe(Effect.provide(FakeFcm.layer)));
    }
    it.live("names that only resemble reserved ones are sent", () => Effect.gen(function* () {
        const data = { fromage: "x", From: "x", google: "x", gcmx: "x", message_types: "x" };
        const message = yield* fcmMessage(yield* fcmOf, { data });
        assert.deepStrictEqual(message.data, data);
    }).pipe(Effect.provide(FakeFcm.layer)));
    it.live("a wrong key of data.aps is named, and nothing is sent", () => Effect.gen(function* () {
        const provider = yield* apnsOf();
        const fake = yield* FakeApns;
        for (const [aps, expected] of [
            ["x", /data\.aps must be an object/],
            [{ "content-available": "yes" }, /data\.aps\.content-available is "yes"/],
            [{ badge: "3" }, /data\.aps\.badge is "3"/],
            [{ sound: 1 }, /data\.aps\.sound is 1/],
            [{ "thread-id": 7 }, /data\.aps\.thread-id is 7/],
        ]) {
            const error = yield* Effect.flip(provider.send(messageTo(apnsTarget, { data: { aps } })));
            assert.match(error.message, expected);
        }
        assert.isEmpty(fake.requestedTokens);
    }).pipe(Effect.provide(FakeApns.layer)));
    it.live("a payload that is too large names its largest field", () => Effect.gen(function* () {
        const data = { small: "x", big: "y".repeat(5_000) };
        for (const provider of [yield* apnsOf(), yield* fcmOf]) {
            const target = provider.name === "apns" ? apnsTarget : fcmTarget;
            const error = yield* Effect.flip(provider.send(messageTo(target, { data })));
            assert.deepInclude(error, { code: "payload_too_large" });
            assert.match(error.message, /the largest field is data\.big with 5002 bytes/);
        }
    }).pipe(Effect.provide([FakeApns.layer, FakeFcm.layer])));
});
describe("responses that are not from the provider", () => {
    for (const [name, body] of [
        ["HTML", "<html>Welcome</html>"],
        ["an empty body", ""],
        ["other JSON", "{}"],
    ]) {
        // regression: such a push counted as sent
        it.live(`200 with ${name} in place of FCM is not sent`, () => Effect.gen(function* () {
            const fake = yield* FakeFcm;
            fake.acceptedBody = body;
            const error = yield* Effect.flip((yield* fcmOf).send(messageTo(fcmTarget)));
            assert.deepInclude(error, { _tag: "TransientError", code: "unavailable" });
            assert.match(error.message, /a proxy may have responded/);
        }).pipe(Effect.provide(FakeFcm.layer)));
    }
});
describe("a connection to APNs that died without a word", () => {
    // regression: the first push after it arrived 144 s later
    it.live("is found by a ping when a call is late, and the next call opens another", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        const proxy = yield* TcpProxy.make(Number(/:(\d+)$/.exec(fake.baseUrl)?.[1]));
        const provider = yield* apnsOf(proxy.port, { lateAfter: Duration.millis(150) });
        yield* provider.send(messageTo(apnsTarget));
        yield* proxy.blackhole;
        const error = yield* Effect.flip(Effect.timeout(provider.send(messageTo(apnsTarget)), "5 seconds"));
        assert.strictEqual(error._tag, "UnknownOutcome");
        yield* proxy.restore;
        yield* provider.send(messageTo(apnsTarget));
        assert.lengthOf(fake.sent, 2);
        assert.strictEqual(fake.sessionCount(), 2);
    }).pipe(Effect.provide(FakeApns.layer)));
    it.live("a slow server that responds to pings is not dropped", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        const provider = yield* apnsOf(undefined, { lateAfter: Duration.millis(500) });
        yield* provider.send(messageTo(apnsTarget));
        // The fake does not respond to the first push with this token.
        const unanswered = messageTo({ channel: "apns", token: `dd${"0".repeat(62)}` });
        const result = yield* Effect.timeoutOption(provider.send(unanswered), "1300 millis");
        assert.strictEqual(result._tag, "None");
        yield* provider.send(messageTo(apnsTarget));
        assert.strictEqual(fake.sessionCount(), 1);
    }).pipe(Effect.provide(FakeApns.layer)));
});
describe("Web Push subscriptions", () => {
    // regression: keys from `btoa` were refused
    it.live("have keys in either alphabet of base64, with and without padding", () => Effect.gen(function* () {
        const fake = yield* FakePushService;
        const { endpoint, keys } = fake.subscribe();
        const standard = (text) => Buffer.from(text, "base64url").toString("base64");
        for (const encode of [standard, (text) => standard(text).replace(/=+$/, ""), (text) => text]) {
            const web_push = { endpoint, keys: { p256dh: encode(keys.p256dh), auth: encode(keys.auth) } };
            const state = yield* awaitFinal(yield* publishRequest({ recipients: [{ web_push }] }));
            assert.strictEqual(state?.status, "sent");
        }
        assert.lengthOf(fake.received, 3);
    }).pipe(Effect.provide(service(Layer.effectDiscard(Effect.flatMap(webPushOf, (provider) => Effect.flatMap(ProviderRegistry, (all) => all.register(provider))))).pipe(Layer.provideMerge(Layer.merge(ports, FakePushService.layer))))));
    it("site-local addresses are not called", () => {
        for (const address of ["fec0::1", "feff:ffff::1"]) {
            assert.isFalse(isPublic(address), address);
            assert.isDefined(blockedReason(new URL(`https://[${address}]/push`)));
        }
    });
    for (const subject of [
        "mailto:x@localhost",
        "mailto:x@mail.local",
        "mailto:x@intranet",
        "https://localhost/contact",
        "https://10.0.0.1/contact",
        "x@example.com",
        "https://",
    ]) {
        // regression: Apple answered 403 to each push
        it.live(`VAPID_SUBJECT=${subject} is a fault at start`, () => Effect.gen(function* () {
            const { vapid } = yield* FakePushService;
            const { privateKey, publicKey } = vapid;
            const error = yield* Effect.flip(WebPush.make({ publicKey, privateKey: Redacted.make(privateKey), subject }));
            assert.strictEqual(error.setting, "VAPID_SUBJECT");
        }).pipe(Effect.provide(FakePushService.layer)));
    }
});
