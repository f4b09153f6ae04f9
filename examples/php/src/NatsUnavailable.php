<?php

declare(strict_types=1);

namespace Armoricore;

use RuntimeException;

/** A transient failure: retry with the same event id. If the event was stored already, the retry is recognised. */
final class NatsUnavailable extends RuntimeException
{
}
