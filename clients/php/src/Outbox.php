<?php

declare(strict_types=1);

namespace Armoricore;

use InvalidArgumentException;
use PDO;
use PDOException;
use Psr\Log\LoggerInterface;

/**
 * A database commit and a publish are two steps, and a crash between them loses one of the two. Therefore the event is
 * written into a table in the same transaction as your own change, and a relay (cron, or `run`) publishes the rows in the
 * order of their insertion. After a crash the relay may publish an event again, with the same id, and Armoricore
 * recognises the duplicate.
 *
 * Any number of relays may run: one holds the lease and publishes, the others take over when it ends or its lease
 * expires. A row whose event is rejected is marked with the reason and does not block the rows after it.
 *
 * Works on SQLite, PostgreSQL and MySQL 8. The connection must throw exceptions (PDO::ERRMODE_EXCEPTION, the default).
 */
final class Outbox
{
    private readonly string $owner;

    /**
     * $leaseSeconds: after this time without a sign of life, another relay takes over. It must be longer than the slowest
     * call of the publisher.
     */
    public function __construct(
        private readonly PDO $db,
        private readonly int $leaseSeconds = 60,
        private readonly ?LoggerInterface $logger = null,
    ) {
        if ($leaseSeconds < 1) {
            throw new InvalidArgumentException("leaseSeconds must be at least 1, but is $leaseSeconds");
        }
        $this->owner = bin2hex(random_bytes(8));
    }

    /**
     * The statements that create the tables; each does nothing if its table exists. Put them into a migration.
     *
     * @param string $driver `sqlite`, `pgsql` or `mysql`
     * @return list<string>
     */
    public static function schema(string $driver): array
    {
        $position = match ($driver) {
            'sqlite' => 'INTEGER PRIMARY KEY AUTOINCREMENT',
            'pgsql' => 'BIGSERIAL PRIMARY KEY',
            'mysql' => 'BIGINT AUTO_INCREMENT PRIMARY KEY',
            default => throw new InvalidArgumentException("the outbox supports sqlite, pgsql and mysql, not $driver"),
        };
        $text = $driver === 'mysql' ? 'MEDIUMTEXT' : 'TEXT';
        return [
            "CREATE TABLE IF NOT EXISTS armoricore_outbox (
                position $position, event_id VARCHAR(36) NOT NULL UNIQUE, event_type VARCHAR(64) NOT NULL,
                body $text NOT NULL, refused_at BIGINT NULL, reason $text NULL)",
            'CREATE TABLE IF NOT EXISTS armoricore_outbox_lease (
                name VARCHAR(16) PRIMARY KEY, owner VARCHAR(16) NOT NULL, expires_at BIGINT NOT NULL)',
        ];
    }

    /** Creates the tables, if they do not exist. */
    public function createTables(): void
    {
        foreach (self::schema($this->db->getAttribute(PDO::ATTR_DRIVER_NAME)) as $statement) {
            $this->db->exec($statement);
        }
    }

    /** Call this in the transaction of your own change. */
    public function add(Event $event): void
    {
        $this->db->prepare('INSERT INTO armoricore_outbox (event_id, event_type, body) VALUES (?, ?, ?)')
            ->execute([$event->id, $event->type, $event->body]);
    }

    /**
     * Publishes up to $limit rows in the order of their insertion, and deletes each row when the bus has stored its event.
     * Returns the number of published events; 0 also while another relay holds the lease.
     *
     * @throws Unavailable the rows that are left stay for the next call
     */
    public function relay(Publisher $publisher, int $limit = 100): int
    {
        if (!$this->acquireLease()) {
            return 0;
        }
        try {
            return $this->publishRows($publisher, $limit);
        } finally {
            $this->db->prepare('DELETE FROM armoricore_outbox_lease WHERE owner = ?')->execute([$this->owner]);
        }
    }

    /**
     * Relays until $isStopped returns true: for a supervised process. It waits $pollSeconds when the outbox is empty, and
     * with growing delays while the bus is unavailable.
     *
     * @param callable(): bool $isStopped
     */
    public function run(Publisher $publisher, callable $isStopped, float $pollSeconds = 1): void
    {
        $failures = 0;
        while (!$isStopped()) {
            try {
                $published = $this->relay($publisher);
                $failures = 0;
                if ($published === 0) {
                    usleep((int) ($pollSeconds * 1e6));
                }
            } catch (Unavailable $error) {
                $failures++;
                $delay = max($error->retryAfter, min(60, 2 ** min($failures, 6)));
                $this->logger?->warning('Armoricore is unavailable; the outbox waits', ['delay' => $delay, 'exception' => $error]);
                for ($end = microtime(true) + $delay; microtime(true) < $end && !$isStopped();) {
                    usleep(100_000);
                }
            }
        }
    }

    /**
     * The rows whose events were rejected, oldest first.
     *
     * @return list<array{event_id: string, event_type: string, body: string, reason: string}>
     */
    public function refused(int $limit = 100): array
    {
        $rows = $this->db->query("SELECT event_id, event_type, body, reason FROM armoricore_outbox WHERE refused_at IS NOT NULL ORDER BY position LIMIT $limit");
        return $rows->fetchAll(PDO::FETCH_ASSOC);
    }

    /** Publishes a refused row again, at its old position; true if there was one. */
    public function retry(string $eventId): bool
    {
        $statement = $this->db->prepare('UPDATE armoricore_outbox SET refused_at = NULL, reason = NULL WHERE event_id = ? AND refused_at IS NOT NULL');
        $statement->execute([$eventId]);
        return $statement->rowCount() === 1;
    }

    /** Deletes a refused row; true if there was one. */
    public function discard(string $eventId): bool
    {
        $statement = $this->db->prepare('DELETE FROM armoricore_outbox WHERE event_id = ? AND refused_at IS NOT NULL');
        $statement->execute([$eventId]);
        return $statement->rowCount() === 1;
    }

    private function publishRows(Publisher $publisher, int $limit): int
    {
        $rows = $this->db->query("SELECT position, event_id, event_type, body FROM armoricore_outbox WHERE refused_at IS NULL ORDER BY position LIMIT $limit")->fetchAll(PDO::FETCH_ASSOC);
        $published = 0;
        foreach ($rows as $row) {
            // A relay that lost its lease stops before it publishes out of order.
            if (!$this->renewLease()) {
                $this->logger?->warning('The outbox relay lost its lease; another relay continues');
                break;
            }
            try {
                $publisher->publish(Event::stored($row['event_type'], $row['event_id'], $row['body']));
            } catch (Rejected $error) {
                $this->logger?->error('Armoricore rejected an event of the outbox', ['event_id' => $row['event_id'], 'exception' => $error]);
                $this->db->prepare('UPDATE armoricore_outbox SET refused_at = ?, reason = ? WHERE position = ?')
                    ->execute([time(), $error->getMessage(), $row['position']]);
                continue;
            }
            $this->db->prepare('DELETE FROM armoricore_outbox WHERE position = ?')->execute([$row['position']]);
            $published++;
        }
        return $published;
    }

    private function acquireLease(): bool
    {
        if ($this->renewLease(takeExpired: true)) {
            return true;
        }
        try {
            $this->db->prepare("INSERT INTO armoricore_outbox_lease (name, owner, expires_at) VALUES ('relay', ?, ?)")
                ->execute([$this->owner, time() + $this->leaseSeconds]);
            return true;
        } catch (PDOException $error) {
            // SQLSTATE 23: another relay has the lease. HY000 with 5: SQLite is busy with the other relay's write.
            if (str_starts_with((string) $error->getCode(), '23') || ($error->errorInfo[1] ?? 0) === 5) {
                return false;
            }
            throw $error;
        }
    }

    private function renewLease(bool $takeExpired = false): bool
    {
        $statement = $this->db->prepare(
            "UPDATE armoricore_outbox_lease SET owner = ?, expires_at = ? WHERE name = 'relay' AND (owner = ?" . ($takeExpired ? ' OR expires_at < ?' : '') . ')',
        );
        $values = [$this->owner, time() + $this->leaseSeconds, $this->owner];
        $statement->execute($takeExpired ? [...$values, time()] : $values);
        // MySQL counts a row that did not change as 0.
        return $statement->rowCount() === 1 || $this->holdsLease();
    }

    private function holdsLease(): bool
    {
        $statement = $this->db->prepare("SELECT COUNT(*) FROM armoricore_outbox_lease WHERE name = 'relay' AND owner = ?");
        $statement->execute([$this->owner]);
        return (int) $statement->fetchColumn() === 1;
    }
}
