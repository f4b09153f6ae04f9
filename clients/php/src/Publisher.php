<?php

declare(strict_types=1);

namespace Armoricore;

/** Publishes events: over HTTP (`Api`) or NATS (`NatsPublisher`). */
interface Publisher
{
    /**
     * Returns when the bus has stored the event; true if the event was a duplicate.
     *
     * @throws Unavailable try again later with the same event
     * @throws Rejected the same event is rejected again
     */
    public function publish(Event $event): bool;
}
