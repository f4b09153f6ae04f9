<?php

declare(strict_types=1);

namespace Armoricore;

/** Tokens for browsers and for the API, signed with JWT_SECRET (HS256). */
final class Jwt
{
    /** @param list<string> $roles for example `publisher`, `operator`, `guest` */
    public static function for(string $userId, string $secret, int $seconds = 3600, array $roles = []): string
    {
        $claims = ['user_id' => $userId, 'iat' => time(), 'exp' => time() + $seconds];
        if ($roles !== []) {
            $claims['roles'] = $roles;
        }
        $part = fn (array $value): string => self::base64url(Event::json($value));
        $text = $part(['alg' => 'HS256', 'typ' => 'JWT']) . '.' . $part($claims);
        return $text . '.' . self::base64url(hash_hmac('sha256', $text, $secret, true));
    }

    private static function base64url(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}
