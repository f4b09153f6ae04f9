<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Jwt;
use Armoricore\Signature;
use PHPUnit\Framework\TestCase;

final class SignatureTest extends TestCase
{
    private const BODY = '{"event_type":"media.uploaded"}';

    public function testEqualsTheTestVector(): void
    {
        self::assertSame(
            'keyid=k,t=1700000000,v1=f594161759d38134938897a86dbf16fc38341e5e5aa1fba48f8691c9d9212106',
            Signature::of('k', 'secret-1', self::BODY, 1700000000),
        );
    }

    public function testAcceptsOnlyARecentSignatureOfTheSameBytesAndSecret(): void
    {
        $header = Signature::of('k', 'secret-1', self::BODY);
        self::assertTrue(Signature::isValid($header, 'secret-1', self::BODY));
        self::assertFalse(Signature::isValid($header, 'secret-2', self::BODY));
        self::assertFalse(Signature::isValid($header, 'secret-1', self::BODY . ' '));
        self::assertFalse(Signature::isValid(Signature::of('k', 'secret-1', self::BODY, time() - 301), 'secret-1', self::BODY));
        self::assertFalse(Signature::isValid('', 'secret-1', self::BODY));
    }

    public function testSignsATokenWithTheClaims(): void
    {
        [$head, $claims, $signature] = explode('.', Jwt::for('auth0|5f', 'secret', 60, ['publisher']));
        $decoded = json_decode((string) base64_decode(strtr($claims, '-_', '+/')), true);
        self::assertSame('auth0|5f', $decoded['user_id']);
        self::assertSame(['publisher'], $decoded['roles']);
        self::assertSame(60, $decoded['exp'] - $decoded['iat']);
        self::assertSame(rtrim(strtr(base64_encode(hash_hmac('sha256', "$head.$claims", 'secret', true)), '+/', '-_'), '='), $signature);
    }
}
