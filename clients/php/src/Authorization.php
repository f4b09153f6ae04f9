<?php

declare(strict_types=1);

namespace Armoricore;

use JsonException;

/**
 * Answers the questions that Armoricore POSTs to AUTHORIZE_URL: may this user join this topic, or send this event? Answer
 * within a few seconds, because the client waits. Any status but 200 and 403 means that the backend cannot decide.
 */
final class Authorization
{
    /**
     * Verifies the request and asks $decide. Returns the status and the JSON body to answer with: 200 and the decision, 401 if
     * the signature is invalid, 400 if the body is no question.
     *
     * $decide returns true, false, or an array: `allow` (bool), `reason` (string, shown to the user), `role` (string, replaces
     * the roles of the token on this topic) and `ttl` (seconds that the answer counts).
     *
     * @param array<string, mixed> $server `$_SERVER`
     * @param string $body the raw bytes of `php://input`, not decoded and encoded again
     * @param callable(array{user_id: string, roles: list<string>, topic: string, params: array<string, mixed>, action: 'join'|'push', event?: string} $question): (bool|array{allow: bool, reason?: string, role?: string, ttl?: int|float}) $decide
     * @return array{int, string}
     *
     * @throws JsonException if the decision is not JSON
     */
    public static function handle(array $server, string $body, string $secret, callable $decide): array
    {
        if (!Signature::isValid($server['HTTP_ARMORICORE_SIGNATURE'] ?? '', $secret, $body)) {
            return [401, '{"error":"invalid signature"}'];
        }
        $question = json_decode($body, true, 66);
        if (!is_array($question) || !is_string($question['user_id'] ?? null) || !is_string($question['topic'] ?? null)) {
            return [400, '{"error":"the body is no question"}'];
        }
        $decision = $decide($question);
        return [200, json_encode(is_bool($decision) ? ['allow' => $decision] : $decision, JSON_THROW_ON_ERROR)];
    }
}
