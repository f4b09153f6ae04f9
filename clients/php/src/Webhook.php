<?php

declare(strict_types=1);

namespace Armoricore;

use Psr\Log\LoggerInterface;
use Throwable;

/**
 * Receives the results that Armoricore POSTs to WEBHOOK_URL. After any response but 2xx Armoricore sends the event again,
 * so a 2xx response must mean that the event is stored. An event may arrive twice, with the same id.
 */
final class Webhook
{
    /**
     * Verifies the request and stores its event with $store, which throws if it cannot. Returns the status to answer with:
     * 204 once the event is stored, 401 if the signature is invalid, 400 if the body is no event, 503 if $store failed.
     *
     * @param array<string, mixed> $server `$_SERVER`
     * @param string $body the raw bytes of `php://input`, not decoded and encoded again
     * @param callable(array<string, mixed> $event, string $body): mixed $store
     */
    public static function handle(array $server, string $body, string $secret, callable $store, ?LoggerInterface $logger = null): int
    {
        if (!Signature::isValid($server['HTTP_ARMORICORE_SIGNATURE'] ?? '', $secret, $body)) {
            return 401;
        }
        $event = json_decode($body, true, 64);
        if (!is_array($event) || !is_string($event['event_id'] ?? null)) {
            return 400;
        }
        try {
            $store($event, $body);
        } catch (Throwable $error) {
            $logger?->error('an event of Armoricore could not be stored; Armoricore sends it again', ['event_id' => $event['event_id'], 'exception' => $error]);
            return 503;
        }
        return 204;
    }
}
