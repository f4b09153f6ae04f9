<?php

declare(strict_types=1);

error_reporting(E_ALL);
require __DIR__ . '/../autoload.php';
spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/' . str_replace(['Armoricore\\Tests\\', '\\'], ['', '/'], $class) . '.php';
    if (str_starts_with($class, 'Armoricore\\Tests\\') && is_file($file)) {
        require $file;
    }
});
