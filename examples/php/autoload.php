<?php

declare(strict_types=1);

spl_autoload_register(function (string $class): void {
    if (str_starts_with($class, 'Armoricore\\')) {
        require __DIR__ . '/src/' . substr($class, strlen('Armoricore\\')) . '.php';
    }
});
