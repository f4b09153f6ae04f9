<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\FileInbox;
use Armoricore\Signature;
use Armoricore\Webhook;
use PHPUnit\Framework\TestCase;

final class WebhookTest extends TestCase
{
    private const BODY = '{"event_id":"3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f","event_type":"media.ready"}';

    private string $folder;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/armoricore-inbox-' . bin2hex(random_bytes(4));
        mkdir($this->folder);
    }

    protected function tearDown(): void
    {
        array_map(unlink(...), glob("{$this->folder}/*") ?: []);
        rmdir($this->folder);
    }

    private function handle(string $body, string $folder, ?string $signature = null): int
    {
        $server = ['HTTP_ARMORICORE_SIGNATURE' => $signature ?? Signature::of('webhook', 'secret', $body)];
        return Webhook::handle($server, $body, 'secret', (new FileInbox($folder))->store(...));
    }

    public function testAnswers204OnceTheEventIsStored(): void
    {
        self::assertSame(204, $this->handle(self::BODY, $this->folder));
        self::assertSame(204, $this->handle(self::BODY, $this->folder));
        $files = glob("{$this->folder}/*");
        self::assertCount(1, $files);
        self::assertSame(self::BODY, file_get_contents($files[0]));
    }

    // regression: it answered 204 although the file could not be written, and the event was lost
    public function testAnswers503IfTheEventCannotBeStored(): void
    {
        self::assertSame(503, $this->handle(self::BODY, "{$this->folder}/missing"));
    }

    public function testAnswers401ForAForgedSignature(): void
    {
        self::assertSame(401, $this->handle(self::BODY, $this->folder, Signature::of('webhook', 'a guess', self::BODY)));
        self::assertSame([], glob("{$this->folder}/*"));
    }

    public function testAnswers400ForABodyThatIsNoEvent(): void
    {
        foreach (['', '[]', '"text"', '{"event_id":7}'] as $body) {
            self::assertSame(400, $this->handle($body, $this->folder), $body);
        }
    }

    public function testStoresNoFileOutsideItsFolder(): void
    {
        self::assertSame(503, $this->handle('{"event_id":"../../../tmp/armoricore-escape"}', $this->folder));
    }
}
