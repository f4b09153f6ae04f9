<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Event;
use InvalidArgumentException;
use JsonException;
use PHPUnit\Framework\TestCase;

final class EventTest extends TestCase
{
    public function testEncodesTheEnvelopeWithMilliseconds(): void
    {
        $event = Event::of('media.uploaded', ['media_id' => 'é/1', 'ratio' => 1.0], requestId: 'r-1');
        $envelope = json_decode($event->body, true);
        self::assertSame(['event_type', 'event_id', 'timestamp', 'source', 'payload', 'request_id'], array_keys($envelope));
        self::assertMatchesRegularExpression('/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/', $envelope['timestamp']);
        self::assertStringContainsString('"é/1"', $event->body);
        self::assertStringContainsString('"ratio":1.0', $event->body);
        self::assertMatchesRegularExpression('/\A[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z/', $event->id);
    }

    public function testAnUploadCarriesItsTokenAndTheUserOfTheSession(): void
    {
        $grant = ['media_id' => 'm1', 'file_path' => 's3://media/a.mp4', 'upload_token' => 'v1.00', 'user_id' => '8', 'upload_url' => 'https://…'];
        $event = Event::uploaded($grant, '7');
        self::assertSame('media.uploaded', $event->type);
        self::assertSame(
            ['media_id' => 'm1', 'user_id' => '7', 'file_path' => 's3://media/a.mp4', 'upload_token' => 'v1.00', 'metadata' => []],
            json_decode($event->body, true)['payload'],
        );
    }

    public function testAnUploadWithoutItsTokenIsRefused(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('the upload has no upload_token');
        Event::uploaded(['media_id' => 'm1', 'file_path' => 's3://media/a.mp4'], '7');
    }

    public function testRefusesTextThatIsNotUtf8(): void
    {
        $this->expectException(JsonException::class);
        Event::of('media.uploaded', ['media_id' => "\xe9"]);
    }
}
