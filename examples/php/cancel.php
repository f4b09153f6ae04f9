<?php

// TOKEN=$(php token.php php-backend publisher) php cancel.php KEY

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

$api = new Armoricore\Api(getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000', getenv('TOKEN') ?: null);
$api->publish(Armoricore\Event::of('notification.cancelled', ['idempotency_key' => $argv[1]]));
echo "cancelled\n";
