<?php

declare(strict_types=1);

namespace Armoricore;

use RuntimeException;

/** Armoricore or the bus does not accept this request; a retry with the same content fails again. */
final class Rejected extends RuntimeException
{
    /** $status: the HTTP status, or 0. $path: the invalid field, such as `payload.user_id`, if the server named one. */
    public function __construct(string $message, public readonly int $status = 0, public readonly ?string $path = null)
    {
        parent::__construct($message);
    }
}
