<?php

// WEBHOOK_SECRET=… INBOX=/tmp/inbox php -S 127.0.0.1:8080 webhook.php   stores each event once, in a file named after its id

declare(strict_types=1);

require __DIR__ . '/autoload.php';

$body = (string) file_get_contents('php://input');
$event = Armoricore\Webhook::receive($_SERVER, $body, (string) getenv('WEBHOOK_SECRET'));
if ($event === null) {
    http_response_code(401);
    return;
}
// A database table with a unique key on the id works too.
file_put_contents(getenv('INBOX') . '/' . $event['event_id'] . '.json', $body);
http_response_code(204);
