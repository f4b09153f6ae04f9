<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Api;
use Armoricore\Client;
use Armoricore\NatsPublisher;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;

final class FrameworkTest extends TestCase
{
    public function testTheUrlChoosesTheTransport(): void
    {
        self::assertInstanceOf(Api::class, Client::publisher(['url' => 'https://armoricore.example']));
        self::assertInstanceOf(NatsPublisher::class, Client::publisher(['url' => 'nats://token@a:4222,tls://b']));
    }

    public function testNamesAUrlThatItCannotUse(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('http://, https://, nats:// or tls://');
        Client::publisher(['url' => 'amqp://host']);
    }

    public function testHidesCredentialsInMessages(): void
    {
        $this->expectExceptionMessage('ftp://…@host');
        new \Armoricore\NatsOptions('ftp://user:secret@host');
    }
}
