<?php

declare(strict_types=1);

namespace Armoricore;

use RuntimeException;

/** A transient failure: retry with the same event id. */
final class ApiUnavailable extends RuntimeException
{
    public function __construct(string $message, public readonly float $retryAfter = 0)
    {
        parent::__construct($message);
    }
}
