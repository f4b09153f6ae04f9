<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Nkey;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;

final class NkeyTest extends TestCase
{
    /** A key pair of `nsc generate nkey --user`. */
    private const SEED = 'SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY';
    private const PUBLIC = 'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4';

    public function testDerivesThePublicKeyAndSigns(): void
    {
        $key = Nkey::fromSeed(self::SEED);
        self::assertSame(self::PUBLIC, $key->publicKey());
        self::assertSame(64, strlen((string) base64_decode(strtr($key->sign('nonce'), '-_', '+/'))));
    }

    public function testRefusesASeedWithAnError(): void
    {
        foreach (['', 'SU', self::PUBLIC, substr(self::SEED, 0, -1) . 'A', 'SA' . substr(self::SEED, 2)] as $seed) {
            try {
                Nkey::fromSeed($seed);
                self::fail($seed);
            } catch (InvalidArgumentException) {
                $this->addToAssertionCount(1);
            }
        }
    }
}
