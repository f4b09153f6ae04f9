<?php

declare(strict_types=1);

namespace Armoricore;

use PDO;

/**
 * A database commit and a publish are two steps, and a crash between them loses one of the two. Therefore the event is
 * written into a table in the same transaction as your own change, and a relay (cron, or a small loop) publishes the
 * rows. After a crash the relay may publish an event again, with the same id, and Armoricore recognises the duplicate.
 *
 * Works on SQLite, PostgreSQL and MySQL 8.
 */
final class Outbox
{
    public const TABLE = 'CREATE TABLE IF NOT EXISTS armoricore_outbox (
        event_id VARCHAR(36) PRIMARY KEY, event_type VARCHAR(64) NOT NULL, body TEXT NOT NULL, created_at VARCHAR(32) NOT NULL
    )';

    public function __construct(private readonly PDO $db)
    {
    }

    /** Call this in the transaction of your own change. */
    public function add(Event $event): void
    {
        $this->db->prepare('INSERT INTO armoricore_outbox (event_id, event_type, body, created_at) VALUES (?, ?, ?, ?)')
            ->execute([$event->id, $event->type, $event->body, gmdate('Y-m-d\TH:i:s.v')]);
    }

    /**
     * Publishes the rows, oldest first, and deletes each row when the bus has stored its event. One relay at a time
     * preserves the order; several relays are otherwise harmless.
     *
     * @param callable(Event): mixed $publish
     */
    public function relay(callable $publish, int $limit = 100): int
    {
        $rows = $this->db->query("SELECT event_id, event_type, body FROM armoricore_outbox ORDER BY created_at, event_id LIMIT $limit");
        $done = 0;
        foreach ($rows->fetchAll(PDO::FETCH_ASSOC) as $row) {
            $publish(Event::stored($row['event_type'], $row['event_id'], $row['body']));
            $this->db->prepare('DELETE FROM armoricore_outbox WHERE event_id = ?')->execute([$row['event_id']]);
            $done++;
        }
        return $done;
    }
}
