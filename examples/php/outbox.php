<?php

// DSN=sqlite:app.db NATS_URL=nats://127.0.0.1:4222 php outbox.php   the relay: publishes the events in the outbox, then ends

declare(strict_types=1);

require __DIR__ . '/autoload.php';

use Armoricore\NatsPublisher;
use Armoricore\Outbox;

$db = new PDO(getenv('DSN') ?: 'sqlite:app.db');
$db->exec(Outbox::TABLE);
$nats = new NatsPublisher(getenv('NATS_URL') ?: 'nats://127.0.0.1:4222');
echo (new Outbox($db))->relay($nats->publish(...)), " published\n";
