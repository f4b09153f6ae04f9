<?php

// ARMORICORE_URL=http://127.0.0.1:4000 TOKEN=… php publish-http.php MEDIA_ID USER_ID FILE_PATH [EVENT_ID]
// REQUEST_ID and TRACEPARENT: a backend takes them from its own request, for example $_SERVER['HTTP_TRACEPARENT'].
// UPLOAD_TOKEN: the third word that upload.php prints.
// With SIGNING_KEY_ID and SIGNING_SECRET instead of TOKEN, the signature of the event proves its origin.

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

use Armoricore\Api;
use Armoricore\Event;

[, $media, $user, $file] = $argv;
$uploadToken = getenv('UPLOAD_TOKEN') ?: null;
$payload = ['media_id' => $media, 'user_id' => $user, 'file_path' => $file, 'upload_token' => $uploadToken, 'metadata' => []];
$event = Event::of('media.uploaded', $payload, $argv[4] ?? null, requestId: getenv('REQUEST_ID') ?: null, traceparent: getenv('TRACEPARENT') ?: null);
$api = new Api(
    getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000',
    getenv('TOKEN') ?: null,
    getenv('SIGNING_KEY_ID') ?: null,
    getenv('SIGNING_SECRET') ?: null,
);
$duplicate = $api->publish($event);
echo $event->id, $duplicate ? ' was there already' : ' published', "\n";
