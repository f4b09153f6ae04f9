<?php

declare(strict_types=1);

namespace Armoricore\Tests;

use Armoricore\Event;
use Armoricore\Publisher;
use Throwable;

/** Records the ids of the published events; `$failures` are thrown for the ids they name. */
final class RecordingPublisher implements Publisher
{
    /** @var list<string> */
    public array $ids = [];

    /** @param array<string, Throwable> $failures */
    public function __construct(public array $failures = [])
    {
    }

    public function publish(Event $event): bool
    {
        if (isset($this->failures[$event->id])) {
            throw $this->failures[$event->id];
        }
        $this->ids[] = $event->id;
        return false;
    }
}
