<?php

// TOKEN=$(php token.php php-backend publisher) php trigger-workflow.php USER_ID POST_ID; see workflows/new-comment.yaml

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

$api = new Armoricore\Api(getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000', getenv('TOKEN') ?: null);
$event = Armoricore\Event::of('notification.requested', [
    'user_id' => $argv[1],
    'workflow' => 'new-comment',
    'title' => 'Anna commented',
    'body' => 'Nice!',
    'context' => ['post_id' => $argv[2]],
]);
$api->publish($event);
echo $event->id, "\n";
