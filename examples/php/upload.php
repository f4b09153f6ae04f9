<?php

// ARMORICORE_URL=… JWT_SECRET=… php upload.php USER_ID FILE CONTENT_TYPE   prints MEDIA_ID FILE_PATH UPLOAD_TOKEN for the event

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

[, $user, $file, $type] = $argv;
$api = new Armoricore\Api(
    getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000',
    Armoricore\Jwt::for($user, (string) getenv('JWT_SECRET')),
);
$grant = $api->upload(basename($file), $type, filesize($file));
$api->put($grant, $file);
echo $grant['media_id'], ' ', $grant['file_path'], ' ', $grant['upload_token'], "\n";
