"""Running models: `acl.mdl.execute` and `acl.mdl.execute_async`."""

from __future__ import annotations

from gearshift.acl import contexts
from gearshift.acl.call import ADDRESS, UINT, public
from gearshift.acl.leaving import WORK
from gearshift.acl.mdl.executions import execution
from gearshift.acl.mdl.models import MODELS
from gearshift.acl.runtime import stream_at


@public("acl.mdl.execute", UINT, ADDRESS, ADDRESS)
def execute(model: int, inputs: int, outputs: int) -> int:
    """Runs a model, and waits for it.

    A model with gears runs at the one that was set with this dataset, or else with any, last.

    Args:
        model: its number.
        inputs: handle of the dataset of inputs, extra ones included.
        outputs: handle of the dataset of outputs; each buffer holds at least what the gear gives,
            which is written to its start.

    Returns:
        0; 145003 if no such model is loaded, 100000 if one is no dataset, 145000 for another number
        of buffers, or one that is too small, 145013 if no gear was set, 145021 if shapes that vary
        within ranges were not said, 145022 if their type is another, 107000 for memory that was
        freed, 107002 without a context; for parameters of dynamic AIPP 100017 if they do not fit
        the model, 145012 if they are for fewer images, 145014 if none were written, 100000 for
        values that are not allowed; 500002 if the engine failed.
    """
    contexts.current()
    with WORK:
        execution(MODELS.get(model), inputs, outputs).run()
    return 0


@public("acl.mdl.execute_async", UINT, ADDRESS, ADDRESS, ADDRESS)
def execute_async(model: int, inputs: int, outputs: int, stream: int) -> int:
    """Runs a model when a stream comes to it.

    Addresses and the gear are those of now; what lies there counts when it runs.

    Args:
        model: its number.
        inputs: handle of the dataset of inputs, as for `execute`.
        outputs: handle of the dataset of outputs.
        stream: its handle; 0 is the default one of the context.

    Returns:
        0; codes as `execute` for what can be seen now, and from `acl.rt.synchronize_stream` for the
        rest; 107000 and 107003 for streams as there.
    """
    target = stream_at(stream)
    target.submit(execution(MODELS.get(model), inputs, outputs).run)
    return 0
