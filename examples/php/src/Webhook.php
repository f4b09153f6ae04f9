<?php

declare(strict_types=1);

namespace Armoricore;

/**
 * Receives the results that Armoricore POSTs to WEBHOOK_URL. Answer 2xx once you have stored the event, anything else and
 * it comes again; an event can come twice, so remember its id.
 */
final class Webhook
{
    /**
     * The event, or null for a request that Armoricore did not send.
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
