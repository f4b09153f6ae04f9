<?php

// TOKEN=$(php token.php php-backend publisher) php register-device.php USER_ID DEVICE_ID TOKEN_OF_FIREBASE

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

$api = new Armoricore\Api(getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000', getenv('TOKEN') ?: null);
$device = $api->registerDevice($argv[1], $argv[2], [
    'platform' => 'android',
    'token' => $argv[3],
    'locale' => 'fr',
    'time_zone' => 'Europe/Paris',
]);
echo $device['device_id'], " registered\n";
