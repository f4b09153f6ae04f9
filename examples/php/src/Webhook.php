<?php

declare(strict_types=1);

namespace Armoricore;

/**
 * Receives the results that Armoricore POSTs to WEBHOOK_URL. Answer 2xx when you have stored the event; after any other
 * response Armoricore sends it again. An event may arrive twice, so store its id.
 */
final class Webhook
{
    /**
     * Returns the event, or null if the signature is invalid.
     *
     * @param array<string, mixed> $server `$_SERVER`
     * @return array<string, mixed>|null
     */
    public static function receive(array $server, string $body, string $secret): ?array
    {
        $header = $server['HTTP_ARMORICORE_SIGNATURE'] ?? '';
        return Signature::isValid($header, $secret, $body) ? json_decode($body, true, 64, JSON_THROW_ON_ERROR) : null;
    }
}
