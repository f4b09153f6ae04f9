<?php

declare(strict_types=1);

namespace Armoricore\Laravel;

use Armoricore\Client;
use Armoricore\Outbox;
use Armoricore\Publisher;
use Illuminate\Support\ServiceProvider;

/**
 * Binds `Publisher` and `Outbox` (on the default database connection). `php artisan vendor:publish --tag=armoricore` copies
 * the configuration; each value comes from an ARMORICORE_* variable of `.env`.
 */
final class ArmoricoreServiceProvider extends ServiceProvider
{
    public function register(): void
    {
        $this->mergeConfigFrom(__DIR__ . '/config/armoricore.php', 'armoricore');
        $this->app->singleton(Publisher::class, static fn ($app) => Client::publisher($app['config']['armoricore'], $app['log']));
        $this->app->bind(Outbox::class, static fn ($app) => new Outbox($app['db']->connection()->getPdo(), logger: $app['log']));
    }

    public function boot(): void
    {
        $this->publishes([__DIR__ . '/config/armoricore.php' => $this->app->configPath('armoricore.php')], 'armoricore');
    }
}
