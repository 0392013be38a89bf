# %% [markdown]
# # Logistic regression, from the curve to ten digits
#
# This page builds logistic regression step by step, in NumPy. You need derivatives and a little NumPy. Each step has a
# few lines of mathematics, a few lines of code, what they give, a question to think about, and the place in
# [pipeline/logistic/](../pipeline/logistic) where the real one lives. The scores are those of the pipeline's default
# run: a test compares them.
#
# The page is made from [tutorial.py](tutorial.py) by `make tutorial`. `make notebook` opens it in Jupyter, to change
# and run.

# %% [markdown]
# ## 1. Look at the data
#
# 569 tumours, each with 30 measurements of its cells, such as the mean radius. Doctors know which are malignant
# (y = 1) and which are benign (y = 0). We want the probability that a new tumour is malignant.
#
# A model must be judged on rows that it has not seen. So a fifth of the rows, the test rows, is set aside, with the
# same share of malignant tumours. The measurements have different units, so each is standardised: minus its mean,
# divided by its standard deviation. Both come from the training rows. [Section
# 11](#11-why-the-columns-were-standardised) shows why.

# %%
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedKFold, train_test_split


def split(X, labels):
    """Standardised training rows and test rows, and their labels."""
    train, test = train_test_split(np.arange(len(X)), test_size=0.2, random_state=0, stratify=labels)
    train, test = np.sort(train), np.sort(test)
    mean, deviation = X[train].mean(axis=0), X[train].std(axis=0)
    deviation[deviation == 0] = np.inf  # nothing can be learnt from a constant column: it becomes 0
    X = (X - mean) / deviation
    return X[train], X[test], labels[train], labels[test]


data = load_breast_cancer()
labels = (data.target == 0).astype(float)  # scikit-learn calls malignant 0; here it is 1
X, X_test, y, y_test = split(data.data, labels)
print(f"{len(X)} training rows, {len(X_test)} test rows, {X.shape[1]} columns")
print(f"malignant: {y.mean():.4f} of the training rows, {y_test.mean():.4f} of the test rows")

# %% [markdown]
# Nobody can look at 30 dimensions. t-SNE places the rows on a plane so that rows that are near each other in 30
# dimensions stay near each other.

# %% name="tsne" alt="t-SNE of the training rows: malignant and benign tumours form two clouds that touch"
plane = TSNE(random_state=0, init="random", max_iter=500).fit_transform(X)
for value, name, marker in ((0, "benign", "o"), (1, "malignant", "x")):
    rows = y == value
    plt.scatter(plane[rows, 0], plane[rows, 1], s=14, marker=marker, linewidths=0.8, label=name)
plt.title("Breast cancer: t-SNE of the training rows")
plt.xticks([])
plt.yticks([])
plt.legend()

# %% [markdown]
# The two classes form two clouds that touch. A flat boundary may do. (Only neighbourhoods mean something in this
# picture, not the axes and not the distance between clouds.)
#
# **Think:** t-SNE never saw y. What would the picture look like if the measurements said nothing about the class?
#
# **In the pipeline:** the stage [explore](../pipeline/stages/explore.py).
#
# ## 2. The logistic function
#
# A sum of measurements can be any number; a probability lies between 0 and 1. The logistic function, or sigmoid, turns
# the one into the other:
#
# $$
# \mathrm{sigmoid}(z) = \frac{1}{1 + e^{-z}}
# $$
#
# It can be read backwards: z = log(p / (1 - p)) is the logarithm of the odds. Twice we need its derivative, which is
# short. With u = exp(-z):
#
# $$
# \begin{aligned}
# \mathrm{sigmoid}'(z) &= \frac{u}{(1 + u)^2}
# && \text{the derivative of } \frac{1}{1 + u} \text{ is } \frac{-u'}{(1 + u)^2}, \; u' = -u \\
# &= \frac{1}{1 + u} \cdot \frac{u}{1 + u} \\
# &= \mathrm{sigmoid}(z) \, (1 - \mathrm{sigmoid}(z)) && \text{since } \frac{u}{1 + u} = 1 - \frac{1}{1 + u}
# \end{aligned}
# $$


# %% name="sigmoid" alt="The logistic curve rises from 0 to 1, with 1/2 at z = 0, and its derivative is a bell"
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


z = np.linspace(-8, 8, 201)
plt.plot(z, sigmoid(z), label="sigmoid(z)")
plt.plot(z, sigmoid(z) * (1 - sigmoid(z)), "--", label="its derivative")
plt.title("The logistic function")
plt.xlabel("z")
plt.legend()
print("sigmoid of -2, 0, 2:", sigmoid(np.array([-2, 0, 2])).round(4))

# %% [markdown]
# **Think:** what happens to the odds p / (1 - p) when z grows by 1? And by log 2?
#
# **In the pipeline:** `sigmoid` in [loss.py](../pipeline/logistic/loss.py). It is written with `logaddexp`, since
# `np.exp(-z)` overflows at z = -800.
#
# ## 3. A prediction
#
# The model has one weight for each column and an intercept b, the value for an average tumour (all columns 0):
#
# $$
# z = x_1 w_1 + x_2 w_2 + \dots + x_{30} w_{30} + b, \qquad p = \mathrm{sigmoid}(z)
# $$
#
# For all rows at once, with X of shape (n_samples, n_features), w of (n_features,), and one number b: `z = X @ w + b`.
# Let us choose weights by hand: malignant tumours are larger, so the mean radius gets weight 2, all others 0.

# %%
w, b = np.zeros(30), -0.5
w[list(data.feature_names).index("mean radius")] = 2

p = sigmoid(X @ w + b)
for i in range(4):
    print(f"row {i}: mean radius {X[i, 0]:+.2f} deviations, p = {p[i]:.4f}, actual {y[i]:.0f}")
print(f"accuracy with malignant predicted where p > 1/2: {((p > 0.5) == y).mean():.4f}")

# %% [markdown]
# **Think:** p > 1/2 means z > 0. What kind of surface is z = 0 in the space of the columns?
#
# **In the pipeline:** `probabilities` and `predicted` in [loss.py](../pipeline/logistic/loss.py).
#
# ## 4. The log-loss, and why not squares
#
# How bad is a probability? Take the probability that the model gave to what happened: p if y = 1, and 1 - p if y = 0.
# The log-loss is minus its logarithm, 0 for a certain and right prediction, large for a certain and wrong one:
#
# $$
# \mathrm{loss} = -\left( y \log p + (1 - y) \log (1 - p) \right)
# $$
#
# The sum over the rows is minus the logarithm of the probability of all labels together, so the weights with the least
# log-loss are the maximum likelihood estimate. Written with z it needs no division, and no logarithm of a number near
# 0:
#
# $$
# \mathrm{loss} = \log(1 + e^z) - y z
# \qquad \text{since } \log p = z - \log(1 + e^z) \text{ and } \log(1 - p) = -\log(1 + e^z)
# $$
#
# Why not (p - y)^2, as in linear regression? Look at the slopes for a row with y = 1:


# %% name="losses" alt="For y = 1, the log-loss grows as a line for z below zero, the squared error levels off at 1"
def log_loss(z, y):
    return np.logaddexp(0, z) - y * z  # logaddexp(0, z) is log(1 + exp(z)), without overflow


plt.plot(z, log_loss(z, 1), label="log-loss")
plt.plot(z, (sigmoid(z) - 1) ** 2, "--", label="squared error")
plt.title("The loss of a row with y = 1")
plt.xlabel("z")
plt.legend()
for at in (-8, -4, 0, 4):
    p = sigmoid(at)
    print(f"z = {at:2}: slope of the log-loss {p - 1:+.4f}, of the squared error {2 * (p - 1) * p * (1 - p):+.4f}")

# %% [markdown]
# At z = -8 the prediction is certain and wrong, and there the squared error is flat: it has no slope to learn from.
# The slope of the log-loss is almost -1. And the log-loss is convex (it never bends down), so a sum of log-losses has
# no local minimum besides the global one. The squared error of a sigmoid is not convex.
#
# **Think:** which constant p has the least mean log-loss? (The pipeline calls this model the prior.)
#
# **In the pipeline:** `log_loss` in [loss.py](../pipeline/logistic/loss.py).
#
# ## 5. The penalty
#
# With 30 columns, some of which say nearly the same, large weights of opposite sign can fit the noise of the training
# rows. A penalty makes large weights cost something:
#
# $$
# J(w, b) = \frac{1}{n} \sum_{i=1}^{n} \left( \log(1 + e^{z_i}) - y_i z_i \right)
# + \frac{\lambda}{2} \left( w_1^2 + \dots + w_{30}^2 \right)
# $$
#
# The intercept is not penalised: the share of malignant tumours is no noise. The loss is a mean, not a sum, so that
# lambda and the learning rate mean the same at any number of rows.

# %%
lam = 0.01  # lambda is a keyword of Python


def cost(w, b):
    return log_loss(X @ w + b, y).mean() + lam / 2 * w @ w


print(f"cost of all weights 0:     {cost(np.zeros(30), 0.0):.4f}   (log 2 is {np.log(2):.4f})")
print(f"cost of weights by hand:   {cost(w, b):.4f}   (of which penalty {lam / 2 * w @ w:.4f})")

# %% [markdown]
# **Think:** what do the weights do when lambda grows without limit? What does p become then?
#
# **In the pipeline:** `Ridge` in [penalty.py](../pipeline/logistic/penalty.py), and the whole of J in
# [objective.py](../pipeline/logistic/objective.py).
#
# ## 6. Random weights, and their poor report
#
# Training starts from random weights. We score them before training, to know later what training was worth. Beside
# them stands the simplest model: the class share as the probability of every row.


# %%
def report(name, w, b):
    z = X_test @ w + b
    predicted = z > 0
    print(f"{name}: accuracy {(predicted == y_test).mean():.4f}, log-loss {log_loss(z, y_test).mean():.4f}")
    print("                     predicted benign  predicted malignant")
    for value, label in ((0, "benign"), (1, "malignant")):
        counts = [int(((y_test == value) & (predicted == guess)).sum()) for guess in (False, True)]
        print(f"  actual {label:10} {counts[0]:18} {counts[1]:20}")


random = np.random.RandomState(0).standard_normal(31)
start_w, start_b = random[:-1], random[-1]
report("random weights", start_w, start_b)

share = y.mean()
prior = -(y_test.mean() * np.log(share) + (1 - y_test.mean()) * np.log(1 - share))
print(f"the class share as p: accuracy {1 - y_test.mean():.4f}, log-loss {prior:.4f}")

# %% [markdown]
# These random weights have a higher accuracy than the class share, by luck: many columns grow with the size of the
# tumour, so a few weights decide. But their log-loss is higher, that is, worse than that of a constant: they are often
# certain and wrong.
#
# **Think:** another seed gives other scores. Which accuracy do random weights have on average over seeds, and why?
# (A hint: w and -w are equally likely.)
#
# **In the pipeline:** `random_start` in [fitting.py](../pipeline/logistic/fitting.py); `baseline` in
# `outputs/evaluate.json`.
#
# ## 7. The gradient, line by line
#
# Which way should the weights move? Against the gradient of J. Take one row and one weight:
#
# $$
# \begin{aligned}
# \mathrm{loss} &= \log(1 + e^z) - y z \\
# \frac{\partial\,\mathrm{loss}}{\partial z} &= \frac{e^z}{1 + e^z} - y
# && \text{derivative of } \log(1 + e^z), \text{ chain rule} \\
# &= \frac{1}{1 + e^{-z}} - y && \text{numerator and denominator times } e^{-z} \\
# &= p - y && \text{by definition of } p \\
# \frac{\partial z}{\partial w_j} &= x_j && z \text{ is } x_1 w_1 + \dots + x_j w_j + \dots + b \\
# \frac{\partial z}{\partial b} &= 1 \\
# \frac{\partial\,\mathrm{loss}}{\partial w_j} &= (p - y) \, x_j && \text{chain rule} \\
# \frac{\partial\,\mathrm{loss}}{\partial b} &= p - y
# \end{aligned}
# $$
#
# The mean over the rows, and the penalty, whose derivative is lambda w_j:
#
# $$
# \frac{\partial J}{\partial w_j} = \frac{1}{n} \sum_{i=1}^{n} (p_i - y_i) \, x_{ij} + \lambda w_j,
# \qquad \frac{\partial J}{\partial b} = \frac{1}{n} \sum_{i=1}^{n} (p_i - y_i)
# $$
#
# The sum over rows is a product with the transposed matrix: X' (p - y). Never trust a derivation without a check: move
# each weight a little in both directions, and compare the change of the cost with the gradient.


# %%
def gradient(w, b):
    error = sigmoid(X @ w + b) - y  # p - y, (n_samples,)
    return X.T @ error / len(y) + lam * w, error.mean()


h = 1e-5
by_formula, _ = gradient(start_w, start_b)
by_moving = [(cost(start_w + h * e, start_b) - cost(start_w - h * e, start_b)) / (2 * h) for e in np.eye(30)]
print("by the formula:", by_formula[:4].round(5))
print("by moving:     ", np.array(by_moving)[:4].round(5))
print("largest difference of all 30 is below 1e-8:", bool(np.abs(by_formula - by_moving).max() < 1e-8))

# %% [markdown]
# **Think:** at the minimum dJ/db = 0. What does this say about the mean of p on the training rows?
#
# **In the pipeline:** `gradient` in [objective.py](../pipeline/logistic/objective.py). There w and b are one matrix,
# the intercept in its last row, with a column for each model; the formula is the same. Its test moves the weights,
# too.
#
# ## 8. Gradient descent, and the cost curve
#
# Repeat: compute the gradient, take a step against it. The learning rate is the length of the step per unit of
# gradient. We record the cost of each iteration.
#
# $$
# w \leftarrow w - \eta \, \frac{\partial J}{\partial w},
# \qquad b \leftarrow b - \eta \, \frac{\partial J}{\partial b}, \qquad \eta = \text{the learning rate}
# $$


# %%
def descend(w, b, learning_rate, iterations):
    costs, norms = [], []
    for _ in range(iterations):
        gradient_w, gradient_b = gradient(w, b)
        costs.append(cost(w, b))
        norms.append(np.sqrt(gradient_w @ gradient_w + gradient_b**2))
        w, b = w - learning_rate * gradient_w, b - learning_rate * gradient_b
    return w, b, np.array(costs), np.array(norms)


w, b, costs, norms = descend(start_w, start_b, learning_rate=0.3, iterations=10_000)
for iteration in (0, 1, 10, 100, 1000, 3000):
    print(f"iteration {iteration:4}: cost {costs[iteration]:.6f}, norm of the gradient {norms[iteration]:.1e}")

# %% name="costs" alt="The cost falls from 0.7 to 0.096; from iteration 790 on the curve is nearly flat"
within = int(np.argmax(costs < 1.01 * costs[-1]))
stop = int(np.argmax(norms <= 1e-6))
plt.loglog(np.arange(1, 10_000), costs[1:])
for at, text in ((within, "within 1 % of the last cost"), (stop, "gradient below 1e-6")):
    plt.axvline(at, color="grey", linestyle="--", linewidth=1)
    plt.text(at, costs[1] * 0.9, f"{text} ", rotation=90, ha="right", va="top", fontsize=8)
plt.title("Breast cancer: cost on the training rows")
plt.xlabel("iteration")
plt.ylabel("log-loss + penalty")
print(f"within 1 % of the last cost from iteration {within} on; gradient below 1e-6 at iteration {stop}")
print(f"the cost there: {costs[stop]:.7f}, and at the end: {costs[-1]:.7f}")

# %% [markdown]
# The classic demonstration takes all 10,000 steps. The pipeline stops when the norm of the gradient is at most 1e-6
# (`train.tolerance`): the other two thirds of the steps change no digit that is printed here.
#
# **Think:** why is the norm of the gradient a better rule than "the cost changed by less than 1e-6"? (Think of a tiny
# learning rate.)
#
# **In the pipeline:** `FixedStep` in [search.py](../pipeline/logistic/search.py), and `Gradient` in
# [first_order.py](../pipeline/logistic/first_order.py); the loop is `minimize` in
# [fitting.py](../pipeline/logistic/fitting.py); `outputs/train/costs.csv`.
#
# ## 9. The report after training

# %%
report("trained weights", w, b)
order = np.argsort(-np.abs(w))
for j in order[:5]:
    print(f"  {data.feature_names[j]:20} {w[j]:+.3f}: one deviation more multiplies the odds by {np.exp(w[j]):.2f}")

# %% [markdown]
# Three mistakes in 114 rows, and the log-loss is a sixth of that of the class share.
#
# **Think:** two of the three mistakes are malignant tumours that are predicted benign. Which limit in place of 1/2
# would you choose, and on which rows would you choose it? (`-S decision=cost` is the pipeline's answer.)
#
# **In the pipeline:** the stage [evaluate](../pipeline/stages/evaluate.py), `test` in `outputs/evaluate.json`, with an
# interval for each score in `outputs/evaluate/report.txt`.
#
# ## 10. Many classes: one against the rest
#
# Now 1,797 pictures of handwritten digits, with 64 grey values each. Train ten models, "is it a 0?", "is it a 1?", and
# so on, and predict the class whose model gives the highest probability. Nothing has to be written ten times: the
# weights become a matrix with one column per class, the labels a matrix of zeros and ones, and the formulas stay as
# they are. (The intercept becomes the last row of the matrix, with a column of ones in the data.)

# %%
digits = load_digits()
D, D_test, digit, digit_test = split(digits.data, digits.target)
D, D_test = (np.column_stack([rows, np.ones(len(rows))]) for rows in (D, D_test))
Y = (digit[:, None] == np.arange(10)).astype(float)  # (n_samples, 10), a column per class


def report_digits(name, W):
    P = sigmoid(D_test @ W)
    P /= P.sum(axis=1, keepdims=True)  # ten answers to ten questions need not sum to 1
    of_actual = P[np.arange(len(P)), digit_test]
    accuracy = (P.argmax(axis=1) == digit_test).mean()
    print(f"{name}: accuracy {accuracy:.4f}, log-loss {-np.log(of_actual).mean():.4f}")


W = np.random.RandomState(0).standard_normal((65, 10))
report_digits("random weights", W)
for _ in range(10_000):
    G = D.T @ (sigmoid(D @ W) - Y) / len(Y)
    G[:-1] += lam * W[:-1]
    if np.linalg.norm(G, axis=0).max() <= 1e-6:
        break
    W -= 0.3 * G
report_digits("trained weights", W)

# %% name="digits" alt="Ten small pictures of weights: that of 0 is dark where it has no ink" size=[6, 2.9]
for k in range(10):
    axes = plt.subplot(2, 5, k + 1)
    axes.imshow(W[:-1, k].reshape(8, 8), cmap="gray", vmin=-1, vmax=1)
    axes.set_title(k)
    axes.axis("off")
plt.suptitle("Digits: the weights of each class (light: raises its probability)")

# %% [markdown]
# **Think:** in the loop, no column of W depends on another. Where are the classes first compared? (A softmax couples
# them in the loss: `train.multiclass=softmax`.)
#
# **In the pipeline:** the stage [one_vs_rest](../pipeline/stages/one_vs_rest.py). A sweep uses the same trick: a column
# of weights per combination of lambda and learning rate ([grid.py](../pipeline/logistic/grid.py)).
#
# ---
#
# The classic tutorial ends here. The rest of the page is what it leaves out.
#
# ## 11. Why the columns were standardised
#
# In their own units, the mean area is in the hundreds and the mean smoothness near 0.1. Then no learning rate suits
# all weights: a step that is safe for the area is far too small for the smoothness. The condition number measures
# this: the largest curvature divided by the smallest. The curvature of the cost, its second derivative along a
# direction, comes from the matrix X'X with the rows weighted by p (1 - p) / n, plus lambda ([section
# 13](#13-newtons-method)). Since p (1 - p) is at most 1/4, X'X / (4n) plus lambda is an upper bound.


# %%
def curvatures(X, row_weights=1 / 4):
    """From the smallest to the largest."""
    with_ones = np.column_stack([X, np.ones(len(X))])
    ridge = np.diag([lam] * X.shape[1] + [0])
    return np.linalg.eigvalsh(with_ones.T * row_weights @ with_ones / len(X) + ridge)


for name, columns in (("standardised", X), ("in own units", data.data)):
    values = curvatures(columns)
    print(f"{name:12}: curvature from {values[0]:.1e} to {values[-1]:.1e}, condition {values[-1] / values[0]:.0e}")

# %% [markdown]
# The number of steps of gradient descent grows in proportion to the condition number: some thousands here, some
# billions there. The penalty is another reason: lambda ||w||^2 treats all weights alike, which is fair only among
# columns of one scale.
#
# **Think:** why must mean and deviation come from the training rows alone?
#
# **In the pipeline:** [columns/terms/line.py](../pipeline/columns/terms/line.py).
#
# ## 12. The step size is limited by the curvature
#
# Along a direction of curvature c the cost is nearly a parabola, c/2 t^2, where t is the distance from the minimum. A
# step takes t to t - rate * c t = (1 - rate c) t. It comes nearer if rate < 2/c and goes away if rate > 2/c. So the
# largest curvature decides.

# %% name="rates" alt="Cost curves: 0.03 and 0.3 are slow, 5 is flat after 50 steps, 20 jumps" size=[5.2, 3.8]
bound = curvatures(X)[-1]
p = sigmoid(X @ w + b)
at_minimum = curvatures(X, p * (1 - p))[-1]
print(f"largest curvature anywhere: at most {bound:.2f}, so a rate of 1 / {bound:.2f} = {1 / bound:.2f} is safe")
print(f"at the minimum: {at_minimum:.2f}, so the limit there is 2 / {at_minimum:.2f} = {2 / at_minimum:.1f}")
for rate, style in ((0.03, ":"), (0.3, "-"), (5, "--"), (20, "-.")):
    _, _, curve, _ = descend(start_w, start_b, rate, 200)
    plt.loglog(np.arange(1, 200), curve[1:], style, label=f"learning rate {rate}")
    print(f"learning rate {rate:4}: cost after 10, 20, 30, 100 steps", curve[[10, 20, 30, 100]].round(3))
plt.title("Breast cancer: cost by learning rate")
plt.xlabel("iteration")
plt.ylabel("log-loss + penalty")
plt.legend()

# %% [markdown]
# 0.3 is safe from every start, and slow. Near this minimum most p are close to 0 or 1, so the curvature is smaller
# there, and 5 is much faster. 20 is above the limit: whenever the weights come near the minimum, they are thrown out
# again.
#
# **Think:** nobody knows the curvature at the minimum before training. How could a program use the cost, which it does
# know, to choose the step? (`Halving` in [search.py](../pipeline/logistic/search.py) is an answer.)
#
# **In the pipeline:** `train.learning_rate=auto` takes one over the bound: `safe_learning_rate` in
# [fast_objective.py](../pipeline/logistic/fast_objective.py).
#
# ## 13. Newton's method
#
# If the curvature of each direction is known, each can have its own step: 1/c lands in the minimum of its parabola. All
# directions together are a matrix of second derivatives. One more derivative of section 7, with dp/dz = p (1 - p):
#
# $$
# H_{jk} = \frac{1}{n} \sum_{i=1}^{n} p_i (1 - p_i) \, x_{ij} x_{ik}
# + \lambda \text{ where } j = k \text{ (not of the intercept)}, \qquad w \leftarrow w - H^{-1} \nabla J
# $$


# %%
def newton(X, y, lam, iterations=20):
    """Weights with the intercept last, and how many steps they took."""
    with_ones, v = np.column_stack([X, np.ones(len(X))]), np.zeros(X.shape[1] + 1)
    ridge = np.append(np.full(X.shape[1], lam), 0)
    for step in range(iterations):
        p = sigmoid(with_ones @ v)
        slope = with_ones.T @ (p - y) / len(y) + ridge * v
        if np.linalg.norm(slope) <= 1e-6:
            return v, step
        H = with_ones.T * (p * (1 - p)) @ with_ones / len(y) + np.diag(ridge)
        v = v - np.linalg.solve(H, slope)
    return v, iterations


v, steps = newton(X, y, lam)
print(f"Newton: {steps} steps, cost {cost(v[:-1], v[-1]):.7f}; gradient descent: {stop} steps, {costs[stop]:.7f}")
print("largest difference of a weight is below 1e-3:", bool(np.abs(v - np.append(w, b)).max() < 1e-3))

# %% [markdown]
# **Think:** this started from zeros. From random weights many p are 0 or 1: what is p (1 - p) there, and how long is
# the step? (The pipeline halves steps that raise the cost.)
#
# **In the pipeline:** `Newton` in [newton.py](../pipeline/logistic/newton.py); `-S optimizer=newton`.
#
# ## 14. Separation: when there is no best weight
#
# Without a penalty, and with classes that a plane separates, twice the weights are always better: each row is right
# and becomes more certain. The cost falls forever and the weights grow forever.

# %%
x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
for lam_here in (0.0, 0.01):
    grown = [newton(x, np.array([0, 0, 1, 1]), lam_here, iterations)[0][0] for iterations in (2, 4, 8, 12)]
    print(f"lambda {lam_here}: weight after 2, 4, 8, 12 steps:", np.round(grown, 2))

# %% [markdown]
# A program that stops after a fixed number of steps hides this: its weights show only how long it ran.
#
# **Think:** a column is 1 in three rows, all of them malignant. What is the best weight of this column without penalty?
#
# **In the pipeline:** [separation.py](../pipeline/logistic/separation.py) finds it and warns with the names of the
# columns.
#
# ## 15. Choosing lambda
#
# The training cost cannot choose lambda (it would choose 0), and the test rows must not (they would no longer be
# unseen). So the training rows are cut into five folds: train on four, score the fifth, five times, and take the mean.
# This is cross-validation.


# %%
def cross_validated(lam):
    scores = []
    for kept, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        mean, deviation = X[kept].mean(axis=0), X[kept].std(axis=0)  # of this fold's training rows
        v, _ = newton((X[kept] - mean) / deviation, y[kept], lam)
        scores.append(log_loss((X[held_out] - mean) / deviation @ v[:-1] + v[-1], y[held_out]).mean())
    return np.mean(scores)


for candidate in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0):
    print(f"lambda {candidate:<6g}: log-loss of held-out rows {cross_validated(candidate):.4f}")

# %% [markdown]
# Too small fits noise, too large ignores the data; in between the curve is flat. So the exact value matters little, but
# the order of magnitude does.
#
# **Think:** the winner's own log-loss here is a little too good. Why? And why do the test rows not share this flaw?
#
# **In the pipeline:** the stage [sweep](../pipeline/stages/sweep.py), [docs/sweeps.md](sweeps.md), and
# `-S train.lambda=auto`.
#
# ## Where to read on
#
# [mathematics.md](mathematics.md) is the formula and the order in which to read `pipeline/logistic/`.
# [model.md](model.md) goes on: curves, pairs of columns, sparse weights, softmax. [honest.md](honest.md): how far to
# trust a score.
