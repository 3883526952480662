"""Stage 5: where rows are to blame: another order, lags, parts, repetitions, outliers."""

from embaudit.stages.row_causes.causes import RowCauses, measure_row_causes
from embaudit.stages.row_causes.parts import Part, Parts

__all__ = ["Part", "Parts", "RowCauses", "measure_row_causes"]
