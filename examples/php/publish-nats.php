<?php

// NATS_URL=nats://127.0.0.1:4222 php publish-nats.php MEDIA_ID USER_ID FILE_PATH [EVENT_ID]
// NATS_NKEY_SEED, NATS_CREDS and NATS_CA as for Armoricore itself.
// REQUEST_ID and TRACEPARENT: a backend takes them from its own request, for example $_SERVER['HTTP_TRACEPARENT'].

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

use Armoricore\Event;
use Armoricore\NatsOptions;
use Armoricore\NatsPublisher;

[, $media, $user, $file] = $argv;
$event = Event::of('media.uploaded', ['media_id' => $media, 'user_id' => $user, 'file_path' => $file], $argv[4] ?? null, requestId: getenv('REQUEST_ID') ?: null, traceparent: getenv('TRACEPARENT') ?: null);
$nats = new NatsPublisher(NatsOptions::fromEnvironment(), getenv('SIGNING_KEY_ID') ?: null, getenv('SIGNING_SECRET') ?: null);
$duplicate = $nats->publish($event);
echo $event->id, $duplicate ? ' was there already' : ' published', "\n";
