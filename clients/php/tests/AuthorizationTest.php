<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Authorization;
use Armoricore\Signature;
use PHPUnit\Framework\TestCase;

final class AuthorizationTest extends TestCase
{
    private const BODY = '{"user_id":"ida","roles":[],"topic":"chat:room:team","params":{},"action":"join"}';

    /** @return array{int, string} */
    private function answer(callable $decide, string $body = self::BODY, ?string $signature = null): array
    {
        $server = ['HTTP_ARMORICORE_SIGNATURE' => $signature ?? Signature::of('authorize', 'secret', $body)];
        return Authorization::handle($server, $body, 'secret', $decide);
    }

    public function testAnswersWithTheDecision(): void
    {
        self::assertSame([200, '{"allow":true}'], $this->answer(static fn (array $question): bool => $question['user_id'] === 'ida'));
        $denied = ['allow' => false, 'reason' => 'no', 'ttl' => 5];
        self::assertSame([200, '{"allow":false,"reason":"no","ttl":5}'], $this->answer(static fn (): array => $denied));
    }

    public function testAsksNothingWithoutAValidSignature(): void
    {
        $decide = static fn (): bool => self::fail('the question must not be decided');
        self::assertSame(401, $this->answer($decide, signature: Signature::of('authorize', 'another secret', self::BODY))[0]);
        self::assertSame(401, $this->answer($decide, signature: '')[0]);
        self::assertSame(400, $this->answer($decide, '[]')[0]);
    }
}
