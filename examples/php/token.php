<?php

// JWT_SECRET=… php token.php USER_ID [ROLE…]   prints a token for a browser: new Socket("/socket", {params: {token}})

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

echo Armoricore\Jwt::for($argv[1], (string) getenv('JWT_SECRET'), 3600, array_slice($argv, 2)), "\n";
