"""Maps and their residuals against maps fitted on the rows themselves."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from scipy.linalg import orthogonal_procrustes

from embaudit.datatypes import Metric
from embaudit.maps.cross_fit import DIRECTIONS, cross_fit
from embaudit.maps.fold_fit import FoldFit, folds_of, row_spaces
from embaudit.maps.held_out import HeldOut
from embaudit.maps.linear import PENALTIES, RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.maps.penalties import Tuning, choose_penalties
from embaudit.measures.procrustes import held_out_residual, in_sample
from embaudit.stats.moments import Moments, total

FOLDS = 4


def scatter_of(x, y):
    moments = Moments(x[:3].mean(axis=0), y[:3].mean(axis=0))
    moments.update(x, y)
    return moments.scatter()


def related_rows(n, p, q, seed=0, noise=0.3):
    """Rows with an offset, and a noisy linear image of them with another."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, p)) * generator.uniform(0.3, 2.0, p)
    y = x @ generator.standard_normal((p, q)) + noise * generator.standard_normal((n, q))
    return x + 3.0, y - 5.0


def fold_moments_of(x, y, folds):
    parts = []
    for fold in range(FOLDS):
        parts.append(Moments(x.mean(axis=0), y.mean(axis=0)))
        parts[-1].update(x[folds == fold], y[folds == fold])
    return parts


def fitted_folds(x, y, folds):
    """What is fitted without each fold, and the sums over its rows."""
    parts = fold_moments_of(x, y, folds)
    spaces = row_spaces(total(parts).scatter())
    found = [
        (FoldFit.of(fold.train(), spaces), fold.held_out()) for fold in folds_of(parts, spaces)
    ]
    return [fit for fit, _ in found], [held_out for _, held_out in found]


def ridge_of(x, y):
    scatter = scatter_of(x, y)
    return RidgePath.of(scatter, *np.linalg.eigh(scatter.xx))


def squared(rows):
    return float((rows**2).sum())


# Orthogonal


@pytest.mark.parametrize(("p", "q"), [(6, 6), (8, 5), (5, 8)])
def test_orthogonal_maps_equal_their_definition_in_both_directions(p, q):
    x, y = related_rows(80, p, q)
    for found, source, target in zip(fit_orthogonal(scatter_of(x, y)), (x, y), (y, x), strict=True):
        expected = oracles.orthogonal_map(source, target)
        np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-9)
        assert found.least_squares_scale == pytest.approx(expected.least_squares_scale)
        assert found.matched_scale == pytest.approx(expected.matched_scale)
        narrow = min(found.matrix.shape)
        gram = found.matrix.T @ found.matrix
        if found.matrix.shape[0] < found.matrix.shape[1]:
            gram = found.matrix @ found.matrix.T
        np.testing.assert_allclose(gram, np.eye(narrow), atol=1e-9)


def test_a_rotated_scaled_and_moved_copy_leaves_no_residual():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((50, 7))
    y = 2.5 * x @ oracles.rotation(7, generator) + 4.0
    forward, backward = fit_orthogonal(scatter_of(x, y))
    np.testing.assert_allclose(forward.transform(x), y, atol=1e-9)
    np.testing.assert_allclose(backward.transform(y), x, atol=1e-9)
    residual, angle = in_sample(scatter_of(x, y))
    assert residual == pytest.approx(0.0, abs=1e-12)
    assert angle == pytest.approx(0.0, abs=1e-6)


def test_the_linear_map_sees_through_a_shear_and_the_orthogonal_one_does_not():
    x = np.random.default_rng(0).standard_normal((500, 4))
    y = x @ (np.eye(4) + 2.0 * np.eye(4, k=1))
    fresh = np.random.default_rng(1).standard_normal((100, 4))
    truth = scatter_of(fresh, fresh @ (np.eye(4) + 2.0 * np.eye(4, k=1)))
    assert held_out_residual([fit_orthogonal(scatter_of(x, y))[0].squared_error(truth)]) > 0.1
    assert held_out_residual([ridge_of(x, y).fit(1e-4).squared_error(truth)]) < 1e-4


@pytest.mark.parametrize(("p", "q"), [(5, 5), (7, 4), (4, 7)])
def test_scales_do_what_they_promise(p, q):
    x, y = related_rows(60, p, q, noise=1.0)
    scatter = scatter_of(x, y)
    best, _ = fit_orthogonal(scatter)
    slow = oracles.orthogonal_map(x, y)
    error = squared(y - slow.predict(x, best.least_squares_scale))
    assert best.squared_error(scatter)[0] == pytest.approx(error)
    for change in (0.99, 1.01):
        assert squared(y - slow.predict(x, change * best.least_squares_scale)) > error
    for fitted in (best, ridge_of(x, y).fit(1.0)):
        mapped = fitted.transform(x)
        np.testing.assert_allclose(mapped.mean(axis=0), y.mean(axis=0))
        assert squared(mapped - mapped.mean(axis=0)) == pytest.approx(squared(y - y.mean(axis=0)))


@pytest.mark.parametrize(("p", "q"), [(6, 6), (4, 7)])
def test_in_sample_measures_equal_their_definitions(p, q):
    x, y = related_rows(90, p, q)
    centred_x, centred_y = x - x.mean(axis=0), y - y.mean(axis=0)
    residual, angle = in_sample(scatter_of(x, y))
    slow = oracles.orthogonal_map(x, y)
    assert residual == pytest.approx(
        squared(y - slow.predict(x, slow.least_squares_scale)) / squared(centred_y)
    )
    # orthogonal_procrustes returns the nuclear norm; columns of zeros make both sides as wide.
    wide_x, wide_y = (
        np.pad(rows, ((0, 0), (0, max(p, q) - rows.shape[1]))) for rows in (centred_x, centred_y)
    )
    nuclear = orthogonal_procrustes(wide_x, wide_y)[1]
    norms = np.sqrt(squared(centred_x) * squared(centred_y))
    assert angle == pytest.approx(np.arccos(nuclear / norms))
    assert in_sample(scatter_of(x, np.ones((90, 2)))) is None


@pytest.mark.parametrize("kind", ["orthogonal", "linear"])
def test_squared_error_equals_predictions_for_rows_with_other_means(kind):
    x, y = related_rows(60, 5, 4)
    held_x, held_y = related_rows(25, 5, 4, seed=9)
    held_x += 1.5
    if kind == "orthogonal":
        found, slow = fit_orthogonal(scatter_of(x, y))[0], oracles.orthogonal_map(x, y)
    else:
        found, slow = ridge_of(x, y).fit(0.1), oracles.ridge_map(x, y, 0.1)
    residual, total = found.squared_error(scatter_of(held_x, held_y))
    predicted = slow.predict(held_x, slow.least_squares_scale)
    assert residual == pytest.approx(squared(held_y - predicted))
    assert total == pytest.approx(squared(held_y - y.mean(axis=0)))


def test_noise_is_fitted_in_sample_and_not_on_held_out_rows():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((2, 200, 100))
    folds = np.arange(200) % FOLDS
    fits, held_out = fitted_folds(x, y, folds)
    assert in_sample(scatter_of(x, y))[0] < 0.7
    for least, maps in (
        (0.99, [fit.orthogonal[0] for fit in fits]),
        (1.5, [fit.ridge(0).fit(1e-4) for fit in fits]),
    ):
        judged = zip(maps, held_out, strict=True)
        assert held_out_residual(one.squared_error(rows) for one, rows in judged) > least


# Ridge


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "p", "q"), [(70, 6, 4), (20, 30, 5)])
def test_ridge_equals_the_normal_equations(n, p, q, penalty):
    x, y = related_rows(n, p, q)
    found, expected = ridge_of(x, y).fit(penalty), oracles.ridge_map(x, y, penalty)
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-7)
    assert found.least_squares_scale == 1.0
    assert found.matched_scale == pytest.approx(expected.matched_scale)
    np.testing.assert_allclose(
        found.transform(x), expected.predict(x, expected.matched_scale), atol=1e-7
    )


@pytest.mark.parametrize(("n", "p", "q"), [(70, 6, 4), (20, 30, 5)])
def test_ridge_maps_rows_with_every_penalty_as_each_fitted_map_does(n, p, q):
    x, y = related_rows(n, p, q)
    path = ridge_of(x, y)
    fresh, _ = related_rows(9, p, q, seed=3)
    mapped = list(path.transform(fresh, PENALTIES))
    for penalty, found in zip(PENALTIES, mapped, strict=True):
        np.testing.assert_allclose(found, path.fit(penalty).transform(fresh), atol=1e-9)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("n", "p", "q"), [(120, 6, 4), (60, 30, 5), (40, 50, 60)])
def test_every_penalty_is_judged_as_its_fitted_map_is(n, p, q, direction):
    x, y = related_rows(n, p, q)
    folds = np.arange(n) % FOLDS
    side = DIRECTIONS.index(direction)
    for fit, held_out in zip(*fitted_folds(x + 0.2 * folds[:, None], y, folds), strict=True):
        errors, total = HeldOut.of(fit, held_out).ridge_errors(side, PENALTIES)
        scatter = held_out if side == 0 else held_out.swapped()
        maps = [fit.ridge(side).fit(penalty) for penalty in PENALTIES]
        expected = [one.squared_error(scatter) for one in maps]
        assert errors == pytest.approx([residual for residual, _ in expected])
        assert total == pytest.approx(expected[0][1])


def test_ridge_leaves_directions_without_variance_at_zero():
    x, y = related_rows(50, 4, 3)
    x = np.concatenate([x, np.full((50, 2), 8.0)], axis=1)
    found = ridge_of(x, y).fit(1e-2)
    np.testing.assert_allclose(found.matrix[4:], 0.0, atol=1e-10)


# Cross-fitting


@pytest.mark.parametrize("kind", ["orthogonal", "linear"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_row_is_mapped_by_the_map_that_has_not_seen_it(direction, kind):
    x, y = related_rows(90, 5, 4)
    folds = np.random.default_rng(1).permutation(np.arange(90) % FOLDS).astype(np.int8)
    penalties = {"a_to_b": 1e-2, "b_to_a": 1e-1}
    fits, held_out = fitted_folds(x, y, folds)
    maps = cross_fit(fits, penalties, lambda rows: folds[rows], workers=2)
    source, target = (x, y) if direction == "a_to_b" else (y, x)
    rows = np.random.default_rng(2).permutation(90)[:40]
    mapped = maps.transform(direction, kind, rows, source[rows])

    slow, errors = [], []
    for fold in range(FOLDS):
        seen = source[folds != fold], target[folds != fold]
        slow.append(
            oracles.orthogonal_map(*seen)
            if kind == "orthogonal"
            else oracles.ridge_map(*seen, penalties[direction])
        )
        mine = folds == fold
        predicted = slow[fold].predict(source[mine], slow[fold].least_squares_scale)
        centre = target[folds != fold].mean(axis=0)
        errors.append((squared(target[mine] - predicted), squared(target[mine] - centre)))
    for row, found in zip(rows, mapped, strict=True):
        expected = slow[folds[row]]
        np.testing.assert_allclose(
            found, expected.predict(source[row], expected.matched_scale), atol=1e-8
        )
    if direction == "b_to_a":
        held_out = [fold.swapped() for fold in held_out]
    residual, total = np.sum(errors, axis=0)
    fitted = zip(maps.maps[direction, kind], held_out, strict=True)
    found = held_out_residual(one.squared_error(rows) for one, rows in fitted)
    assert found == pytest.approx(residual / total)


def test_penalties_are_chosen_by_retrieval_on_held_out_rows():
    generator = np.random.default_rng(0)
    folds = (np.arange(160) % FOLDS).astype(np.int8)
    x = generator.standard_normal((160, 60))
    clean = x @ oracles.rotation(60, generator)
    noisy = clean + 3.0 * generator.standard_normal((160, 60))
    chosen = []
    for y in (clean, noisy):
        fits, held_out = fitted_folds(x, y, folds)
        tuning = Tuning(folds, (x, y), Metric.COSINE, 0)
        trials = [
            tuning.trial(fit, HeldOut.of(fit, rows), fold)
            for fold, (fit, rows) in enumerate(zip(fits, held_out, strict=True))
        ]
        chosen.append(choose_penalties(tuning, fits, trials))
    assert set(chosen[0]) == set(DIRECTIONS)
    assert PENALTIES[chosen[0]["a_to_b"]] == min(PENALTIES)
    assert PENALTIES[chosen[1]["a_to_b"]] == max(PENALTIES)
