<?php

declare(strict_types=1);

namespace Armoricore;

use RuntimeException;

/** A transient failure: retry with the same event id. If the event was stored already, the retry is recognised. */
final class Unavailable extends RuntimeException
{
    /** $retryAfter: seconds that the server asked to wait, or 0. */
    public function __construct(string $message, public readonly float $retryAfter = 0)
    {
        parent::__construct($message);
    }
}
