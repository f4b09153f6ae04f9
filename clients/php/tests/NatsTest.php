<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Event;
use Armoricore\NatsOptions;
use Armoricore\NatsPublisher;
use Armoricore\Rejected;
use Armoricore\Unavailable;
use PHPUnit\Framework\TestCase;

/**
 * Needs a NATS server with the streams of `armoricore setup`: ARMORICORE_TEST_NATS is its address as `host:port`, and
 * ARMORICORE_TEST_NATS_KIND says how it authenticates: `user` (php with the password "p@ss word"), `nkey` or `tls`.
 */
final class NatsTest extends TestCase
{
    private const SEED = 'SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY';

    private string $address = '';
    private string $kind = '';

    protected function setUp(): void
    {
        $this->address = (string) getenv('ARMORICORE_TEST_NATS');
        $this->kind = (string) getenv('ARMORICORE_TEST_NATS_KIND');
        if ($this->address === '') {
            self::markTestSkipped('ARMORICORE_TEST_NATS is not set');
        }
    }

    private function options(): NatsOptions
    {
        return match ($this->kind) {
            'user' => new NatsOptions("nats://php:p%40ss%20word@{$this->address}"),
            'nkey' => new NatsOptions("nats://{$this->address}", nkeySeed: self::SEED),
            'tls' => new NatsOptions("tls://token-1@{$this->address}", caFile: (string) getenv('ARMORICORE_TEST_NATS_CA')),
        };
    }

    private static function event(string $mediaId = 'm'): Event
    {
        return Event::of('media.uploaded', ['media_id' => $mediaId, 'user_id' => '7', 'file_path' => 's3://media/a.mp4']);
    }

    public function testStoresAnEventOnce(): void
    {
        $publisher = new NatsPublisher($this->options());
        $event = self::event();
        self::assertFalse($publisher->publish($event));
        self::assertTrue($publisher->publish($event));
    }

    public function testTriesTheServersOfTheListInTurn(): void
    {
        $options = $this->options();
        $list = new NatsOptions('nats://127.0.0.1:1,' . $this->url(), $options->nkeySeed, caFile: $options->caFile);
        self::assertFalse((new NatsPublisher($list))->publish(self::event()));
    }

    private function url(): string
    {
        return match ($this->kind) {
            'user' => "nats://php:p%40ss%20word@{$this->address}",
            'nkey' => "nats://{$this->address}",
            'tls' => "tls://token-1@{$this->address}",
        };
    }

    // regression: a body over max_payload counted as worth another try
    public function testRejectsAnEventThatIsTooLarge(): void
    {
        $this->expectException(Rejected::class);
        $this->expectExceptionMessage('max_payload');
        (new NatsPublisher($this->options()))->publish(self::event(str_repeat('x', 1_100_000)));
    }

    public function testRejectsWrongCredentials(): void
    {
        $this->expectException(Rejected::class);
        $this->expectExceptionMessage('Authorization');
        $scheme = $this->kind === 'tls' ? 'tls' : 'nats';
        $options = new NatsOptions("$scheme://php:wrong@{$this->address}", caFile: $this->options()->caFile);
        (new NatsPublisher($options))->publish(self::event());
    }

    public function testNamesACertificateThatItCannotVerify(): void
    {
        if ($this->kind !== 'tls') {
            $this->addToAssertionCount(1);
            return;
        }
        $this->expectException(Unavailable::class);
        $this->expectExceptionMessage('certificate verify failed');
        (new NatsPublisher(new NatsOptions($this->url()), maxAttempts: 1))->publish(self::event());
    }
}
