<?php

declare(strict_types=1);

namespace Armoricore\Symfony;

use Armoricore\Client;
use Armoricore\Publisher;
use Symfony\Component\Config\Definition\Configurator\DefinitionConfigurator;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\DependencyInjection\Reference;
use Symfony\Component\HttpKernel\Bundle\AbstractBundle;

/**
 * Defines the service `Armoricore\Publisher` from `config/packages/armoricore.yaml` (Symfony 6.1 or newer):
 *
 *     armoricore:
 *         url: '%env(ARMORICORE_URL)%'
 *         token: '%env(ARMORICORE_TOKEN)%'
 */
final class ArmoricoreBundle extends AbstractBundle
{
    public const SETTINGS = ['url', 'token', 'signing_key_id', 'signing_secret', 'nkey_seed', 'credentials', 'ca'];

    public function configure(DefinitionConfigurator $definition): void
    {
        $children = $definition->rootNode()->children();
        foreach (self::SETTINGS as $name) {
            $node = $children->scalarNode($name);
            $name === 'url' ? $node->isRequired() : $node->defaultNull();
        }
    }

    /** @param array<string, string|null> $config */
    public function loadExtension(array $config, ContainerConfigurator $container, ContainerBuilder $builder): void
    {
        $builder->register(Publisher::class, Publisher::class)
            ->setFactory([Client::class, 'publisher'])
            ->setArguments([$config, new Reference('logger', ContainerBuilder::NULL_ON_INVALID_REFERENCE)])
            ->setPublic(true);
    }
}
