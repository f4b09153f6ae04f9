<?php

declare(strict_types=1);

namespace Armoricore;

/** `keyid=ID,t=UNIXSECONDS,v1=HEX`, HEX = HMAC-SHA256(secret, t + "." + raw body). */
final class Signature
{
    public static function of(string $keyId, string $secret, string $body, ?int $at = null): string
    {
        $at ??= time();
        return "keyid=$keyId,t=$at,v1=" . hash_hmac('sha256', "$at.$body", $secret);
    }

    /** $body: the raw bytes of the request (`php://input`), not decoded and encoded again. */
    public static function isValid(string $header, string $secret, string $body, int $tolerance = 300): bool
    {
        if (preg_match('/\Akeyid=([^,]+),t=(\d{1,12}),v1=([0-9a-f]{64})\z/', $header, $parts) !== 1) {
            return false;
        }
        $isRecent = abs(time() - (int) $parts[2]) <= $tolerance;
        return $isRecent && hash_equals(hash_hmac('sha256', "$parts[2].$body", $secret), $parts[3]);
    }
}
