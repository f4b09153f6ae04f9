<?php

// DSN=sqlite:app.db NATS_URL=nats://127.0.0.1:4222 php outbox.php [--watch]
// The relay: publishes the events in the outbox and ends; with --watch it continues until SIGTERM. Run as many as you like.

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

use Armoricore\NatsOptions;
use Armoricore\NatsPublisher;
use Armoricore\Outbox;

$db = new PDO(getenv('DSN') ?: 'sqlite:app.db');
$outbox = new Outbox($db, leaseSeconds: (int) (getenv('LEASE_SECONDS') ?: 60));
$outbox->createTables();
$publisher = new NatsPublisher(NatsOptions::fromEnvironment());
if (($argv[1] ?? '') !== '--watch') {
    echo $outbox->relay($publisher), " published\n";
    foreach ($outbox->refused() as $row) {
        fwrite(STDERR, "refused: {$row['event_id']}: {$row['reason']}\n");
    }
    exit;
}
$isStopped = false;
pcntl_async_signals(true);
pcntl_signal(SIGTERM, function () use (&$isStopped): void {
    $isStopped = true;
});
$outbox->run($publisher, function () use (&$isStopped): bool {
    return $isStopped;
}, pollSeconds: 0.2);
