<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Event;
use Armoricore\Outbox;
use Armoricore\Rejected;
use Armoricore\Unavailable;
use PDO;
use PHPUnit\Framework\TestCase;

final class OutboxTest extends TestCase
{
    private PDO $db;
    private Outbox $outbox;

    protected function setUp(): void
    {
        $this->db = new PDO('sqlite::memory:');
        $this->outbox = new Outbox($this->db);
        $this->outbox->createTables();
    }

    /** @return list<string> */
    private function add(int $count): array
    {
        $ids = [];
        for ($index = 0; $index < $count; $index++) {
            $event = Event::of('media.uploaded', ['media_id' => "m$index"]);
            $this->outbox->add($event);
            $ids[] = $event->id;
        }
        return $ids;
    }

    // regression: events of one second were published in the order of their random ids
    public function testPublishesInTheOrderOfInsertion(): void
    {
        $ids = $this->add(50);
        $publisher = new RecordingPublisher();
        self::assertSame(50, $this->outbox->relay($publisher));
        self::assertSame($ids, $publisher->ids);
        self::assertSame(0, $this->outbox->relay($publisher));
    }

    public function testARejectedEventDoesNotBlockTheRest(): void
    {
        [$first, $second, $third] = $this->add(3);
        $publisher = new RecordingPublisher([$second => new Rejected('payload.user_id is missing', 422, 'payload.user_id')]);
        self::assertSame(2, $this->outbox->relay($publisher));
        self::assertSame([$first, $third], $publisher->ids);
        $refused = $this->outbox->refused();
        self::assertSame([$second], array_column($refused, 'event_id'));
        self::assertSame('payload.user_id is missing', $refused[0]['reason']);

        $publisher->failures = [];
        self::assertTrue($this->outbox->retry($second));
        self::assertSame(1, $this->outbox->relay($publisher));
        self::assertFalse($this->outbox->retry($second));
    }

    public function testLeavesTheRestWhileTheBusIsUnavailable(): void
    {
        [$first, $second, $third] = $this->add(3);
        $publisher = new RecordingPublisher([$second => new Unavailable('NATS did not answer in time')]);
        try {
            $this->outbox->relay($publisher);
            self::fail('relay must throw');
        } catch (Unavailable) {
        }
        $publisher->failures = [];
        self::assertSame(2, $this->outbox->relay($publisher));
        self::assertSame([$first, $second, $third], $publisher->ids);
    }

    public function testARolledBackChangePublishesNothing(): void
    {
        $this->db->beginTransaction();
        $this->add(1);
        $this->db->rollBack();
        self::assertSame(0, $this->outbox->relay(new RecordingPublisher()));
    }

    public function testOneRelayAtATimePublishes(): void
    {
        $this->add(1);
        $this->db->exec("INSERT INTO armoricore_outbox_lease VALUES ('relay', 'another', " . (time() + 60) . ')');
        self::assertSame(0, $this->outbox->relay(new RecordingPublisher()));
        $this->db->exec('UPDATE armoricore_outbox_lease SET expires_at = ' . (time() - 1));
        self::assertSame(1, $this->outbox->relay(new RecordingPublisher()));
    }
}
