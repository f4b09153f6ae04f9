<?php

// TOKEN=$(php token.php php-backend publisher) php schedule.php USER_ID KEY "+1 day"

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

$api = new Armoricore\Api(getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000', getenv('TOKEN') ?: null);
$event = Armoricore\Event::of('notification.requested', [
    'user_id' => $argv[1],
    'notification_type' => 'push',
    'title' => 'Your trial ends',
    'body' => 'One day left.',
    'send_at' => date(DATE_RFC3339, strtotime($argv[3])),
    'idempotency_key' => $argv[2],
]);
$api->publish($event);
echo $event->id, "\n";
