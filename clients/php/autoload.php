<?php

// For projects without Composer: require this file instead of vendor/autoload.php.

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    foreach (['Armoricore\\Laravel\\' => 'laravel', 'Armoricore\\Symfony\\' => 'symfony', 'Armoricore\\' => 'src'] as $prefix => $folder) {
        if (!str_starts_with($class, $prefix)) {
            continue;
        }
        $file = __DIR__ . "/$folder/" . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
        // A class of this namespace that another package defines is left to that package's autoloader.
        if (is_file($file)) {
            require $file;
        }
        return;
    }
});
