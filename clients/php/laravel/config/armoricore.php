<?php

declare(strict_types=1);

return [
    'url' => env('ARMORICORE_URL', 'http://127.0.0.1:4000'),
    'token' => env('ARMORICORE_TOKEN'),
    'signing_key_id' => env('ARMORICORE_SIGNING_KEY_ID'),
    'signing_secret' => env('ARMORICORE_SIGNING_SECRET'),
    'nkey_seed' => env('ARMORICORE_NKEY_SEED'),
    'credentials' => env('ARMORICORE_CREDENTIALS'),
    'ca' => env('ARMORICORE_CA'),
];
