<?php

// TOKEN=$(php token.php php-backend publisher) php notify.php

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

use Armoricore\Api;
use Armoricore\Event;

$api = new Api(getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000', getenv('TOKEN') ?: null);

// A device of the user, as the app sends it after each start.
$api->registerDevice(42, 'phone-1', ['platform' => 'android', 'token' => 'the-token-of-firebase', 'locale' => 'fr']);

// In-app, now.
$api->publish(Event::of('notification.requested', [
    'user_id' => 42, 'notification_type' => 'in_app', 'title' => 'Welcome', 'body' => 'Good to have you.',
]));

// A push for tomorrow, and its cancellation.
$api->publish(Event::of('notification.requested', [
    'user_id' => 42, 'notification_type' => 'push', 'title' => 'Your trial ends', 'body' => 'One day left.',
    'send_at' => date(DATE_RFC3339, strtotime('+1 day')), 'idempotency_key' => 'trial-42',
]));
$api->publish(Event::of('notification.cancelled', ['idempotency_key' => 'trial-42']));

echo $api->inbox(42)['unread'], " unread\n";
