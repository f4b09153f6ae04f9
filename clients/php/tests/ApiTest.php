<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Api;
use Armoricore\Event;
use Armoricore\Jwt;
use Armoricore\Rejected;
use Armoricore\Unavailable;
use PHPUnit\Framework\TestCase;

/** Needs a running Armoricore: ARMORICORE_TEST_URL is its address, ARMORICORE_TEST_JWT_SECRET its JWT_SECRET. */
final class ApiTest extends TestCase
{
    private string $url = '';
    private string $token = '';

    protected function setUp(): void
    {
        $this->url = (string) getenv('ARMORICORE_TEST_URL');
        if ($this->url === '') {
            self::markTestSkipped('ARMORICORE_TEST_URL is not set');
        }
        $this->token = Jwt::for('php', (string) getenv('ARMORICORE_TEST_JWT_SECRET'), roles: ['publisher']);
    }

    public function testPublishesAnEventOnce(): void
    {
        $api = new Api($this->url, $this->token);
        $event = Event::of('transcription.requested', ['media_id' => 'm', 'user_id' => '7', 'source_file_path' => 's3://media/none.wav']);
        self::assertFalse($api->publish($event));
        self::assertTrue($api->publish($event));
    }

    public function testSendsAMessageToARoomOnce(): void
    {
        $api = new Api($this->url, $this->token);
        $message = $api->publishToTopic('chat:room:lobby', 'new_message', ['content' => 'Your order has shipped'], 'ida', 'order-7');
        self::assertSame($message, $api->publishToTopic('chat:room:lobby', 'new_message', ['content' => 'Your order has shipped'], 'ida', 'order-7'));
        self::assertArrayNotHasKey('seq', $api->publishToTopic('media:m1', 'highlight', ['at' => 12]));
    }

    public function testErasesAUserAndDeletesAMedia(): void
    {
        $api = new Api($this->url, $this->token);
        self::assertSame('a:1', $api->eraseUser('a:1')['user_id']);
        $api->deleteMedia('never-uploaded');
    }

    public function testManagesTheMembersOfARoom(): void
    {
        $api = new Api($this->url, $this->token);
        $member = $api->putMember('team', 'auth0|ida', 'moderator');
        self::assertSame(['team', 'auth0|ida', 'moderator'], [$member['room_id'], $member['user_id'], $member['role']]);
        self::assertArrayNotHasKey('role', $api->putMember('team', 'auth0|ida'));
        self::assertTrue($api->removeMember('team', 'auth0|ida')['removed']);
        self::assertFalse($api->removeMember('team', 'auth0|ida')['removed']);
    }

    public function testReadsAndCancelsWorkflowRuns(): void
    {
        $api = new Api($this->url, $this->token);
        self::assertSame([], $api->workflowRuns(['user_id' => 'without-runs', 'status' => 'running'])['runs']);
        foreach ([$api->notification(...), $api->workflowRun(...), $api->retryWorkflowRun(...), $api->cancelWorkflowRun(...)] as $call) {
            try {
                $call('0190a1b2-c3d4-7e5f-8a9b-000000000000');
                self::fail('there is no such run');
            } catch (Rejected $error) {
                self::assertSame(404, $error->status);
            }
        }
    }

    public function testNamesTheInvalidField(): void
    {
        try {
            (new Api($this->url, $this->token))->publish(Event::of('media.uploaded', ['media_id' => 'm']));
            self::fail('the event must be rejected');
        } catch (Rejected $error) {
            self::assertSame(422, $error->status);
            self::assertSame('payload.user_id', $error->path);
        }
    }

    public function testRejectsAnEventThatIsTooLarge(): void
    {
        $this->expectException(Rejected::class);
        $payload = ['media_id' => 'm', 'user_id' => '7', 'file_path' => 's3://media/a', 'metadata' => ['x' => str_repeat('x', 1_100_000)]];
        (new Api($this->url, $this->token))->publish(Event::of('media.uploaded', $payload));
    }

    public function testRejectsATokenOfAnotherSecret(): void
    {
        try {
            (new Api($this->url, Jwt::for('php', 'another secret of some length', roles: ['publisher'])))->publish(Event::of('media.uploaded', []));
            self::fail('the event must be rejected');
        } catch (Rejected $error) {
            self::assertSame(401, $error->status);
        }
    }

    public function testAnUnreachableServerIsWorthAnotherTry(): void
    {
        $this->expectException(Unavailable::class);
        (new Api('http://127.0.0.1:1', $this->token, maxAttempts: 1))->publish(Event::of('media.uploaded', []));
    }
}
