<?php

// WEBHOOK_SECRET=… INBOX=/tmp/inbox php -S 127.0.0.1:8080 webhook.php   stores each event once, in a file named after its id

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

use Armoricore\FileInbox;
use Armoricore\Webhook;

// A database table with a unique key on the id works too.
$inbox = new FileInbox((string) getenv('INBOX'));
$body = (string) file_get_contents('php://input');
http_response_code(Webhook::handle($_SERVER, $body, (string) getenv('WEBHOOK_SECRET'), $inbox->store(...)));
