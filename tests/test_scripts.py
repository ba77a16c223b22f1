"""Scripts written for PyTorch run: only their imports name another package.

The code between the rules is what public tutorials write, at the size of a test; after each comes
something that is true of it.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan as torch
import minigan.backends.cudnn as cudnn
import minigan.nn.functional as F
from minigan import autograd, nn, optim
from minigan.autograd import Variable
from minigan.utils import make_grid, save_image
from minigan.utils.data import DataLoader, Dataset, TensorDataset, random_split


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(999)


# ------------------------------------------------------------------------------------ DCGAN


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self, ngpu, nz=8, ngf=8, nc=3):
        super(Generator, self).__init__()  # noqa: UP008, as tutorials write it
        self.ngpu = ngpu
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        if input.is_cuda and self.ngpu > 1:
            return nn.parallel.data_parallel(self.main, input, range(self.ngpu))
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self, ngpu, ndf=8, nc=3):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, input):
        return self.main(input)


def test_dcgan_faces(tmp_path):
    cudnn.benchmark = True
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    dataset = TensorDataset(torch.rand(16, 3, 16, 16) * 2 - 1, torch.zeros(16).long())
    dataloader = DataLoader(dataset, batch_size=8, shuffle=True, num_workers=0)
    netG, netD = Generator(1).to(device), Discriminator(1).to(device)
    netG.apply(weights_init)
    netD.apply(weights_init)
    first = netG.main[0].weight
    assert abs(first.std().item() - 0.02) < 5 * 0.02 / (2 * first.numel()) ** 0.5
    criterion = nn.BCELoss()
    fixed_noise = torch.randn(4, 8, 1, 1, device=device)
    optimizerD = optim.Adam(netD.parameters(), lr=0.002, betas=(0.5, 0.999))
    optimizerG = optim.Adam(netG.parameters(), lr=0.002, betas=(0.5, 0.999))
    for _epoch in range(2):
        for _i, data in enumerate(dataloader, 0):
            netD.zero_grad()
            real_cpu = data[0].to(device)
            b_size = real_cpu.size(0)
            label = torch.full((b_size,), 1.0, dtype=torch.float, device=device)
            output = netD(real_cpu).view(-1)
            errD_real = criterion(output, label)
            errD_real.backward()
            noise = torch.randn(b_size, 8, 1, 1, device=device)
            fake = netG(noise)
            label.fill_(0.0)
            output = netD(fake.detach()).view(-1)
            errD_fake = criterion(output, label)
            errD_fake.backward()
            errD = errD_real + errD_fake
            before = [p.detach().clone() for p in netG.parameters()]
            optimizerD.step()
            assert all(torch.equal(p, q) for p, q in zip(netG.parameters(), before, strict=True))
            netG.zero_grad()
            label.fill_(1.0)
            output = netD(fake).view(-1)
            errG = criterion(output, label)
            errG.backward()
            optimizerG.step()
            assert not any(
                torch.equal(p, q) for p, q in zip(netG.parameters(), before, strict=True)
            )
            assert f"{errD.item():.4f}" != "nan"
    assert_allclose(errG.item(), -np.log(output.detach().cpu().numpy()).mean(), rtol=1e-5)
    with torch.no_grad():
        fake = netG(fixed_noise).detach().cpu()
    grid = make_grid(fake, padding=2, normalize=True)
    assert np.transpose(grid, (1, 2, 0)).shape == (20, 74, 3)
    save_image(fake.data[:25], str(tmp_path / "fake.png"), nrow=5, normalize=True)
    torch.save(netG.state_dict(), str(tmp_path / "netG.pth"))
    other = nn.DataParallel(Generator(1)).module
    other.load_state_dict(torch.load(str(tmp_path / "netG.pth"), map_location=device))
    assert torch.equal(other(fixed_noise), netG(fixed_noise))


# ---------------------------------------------------------------------------------- WGAN-GP

cuda = bool(torch.cuda.is_available())
Tensor = torch.cuda.FloatTensor if cuda else torch.FloatTensor


def compute_gradient_penalty(D, real_samples, fake_samples):
    alpha = Tensor(np.random.rand(real_samples.size(0), 1, 1, 1))  # noqa: NPY002
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = Variable(Tensor(real_samples.shape[0], 1).fill_(1.0), requires_grad=False)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=fake,
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def test_wgan_gp():
    """Of a linear critic the penalty is (‖w‖ - 1)²; the penalty alone brings ‖w‖ to 1."""
    D = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    real, fake = torch.randn(5, 1, 4, 4), torch.rand(5, 1, 4, 4)
    penalty = compute_gradient_penalty(D, real.data, fake.data)
    norm = D[1].weight.norm()
    assert penalty.item() == pytest.approx((norm.item() - 1) ** 2, rel=1e-5)
    optimizer = torch.optim.Adam(D.parameters(), lr=0.05, betas=(0.5, 0.9))
    for _ in range(100):
        optimizer.zero_grad()
        loss = 10 * compute_gradient_penalty(D, real.data, fake.data)
        loss.backward()
        optimizer.step()
    assert D[1].weight.norm().item() == pytest.approx(1, abs=1e-2)
    for p in D.parameters():
        p.data.clamp_(-0.01, 0.01)
    assert max(p.abs().max().item() for p in D.parameters()) <= np.float32(0.01)


# ------------------------------------------------------------------------- a conditional GAN


class Toy(Dataset):
    def __init__(self):
        self.x, self.y = torch.rand(40, 1, 8, 8), torch.randint(0, 9, (40,))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class LabelledGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.label_emb = nn.Embedding(10, 10)
        self.fc = nn.Sequential(
            nn.Linear(20, 128), nn.ReLU(inplace=True), nn.Unflatten(1, (8, 4, 4))
        )
        self.up, self.conv = nn.Upsample(scale_factor=2), nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, z, labels):
        h = torch.cat([z, self.label_emb(labels)], 1)
        return torch.sigmoid(self.conv(F.leaky_relu(self.up(self.fc(h)), 0.2)))


class LabelledDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(10, 64)
        self.c1 = nn.utils.spectral_norm(
            nn.Conv2d(2, 8, 3, stride=2, padding=1, padding_mode="reflect")
        )
        self.pool, self.drop = nn.AdaptiveAvgPool2d((1, 1)), nn.Dropout(0.2)
        self.fc, self.aux = nn.Linear(8, 1), nn.Linear(8, 10)

    def forward(self, x, labels):
        m = self.emb(labels).view(x.size(0), 1, 8, 8)
        h = F.leaky_relu(self.c1(torch.cat((x, m), dim=1)), 0.2, inplace=True)
        h = self.drop(self.pool(h).flatten(1))
        return self.fc(h).squeeze(1), self.aux(h)


def test_conditional_gan(tmp_path):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, _ = random_split(Toy(), [32, 8], generator=torch.Generator().manual_seed(42))
    loader = DataLoader(train, batch_size=8, shuffle=True, drop_last=True)
    g, d = LabelledGenerator().to(device), LabelledDiscriminator().to(device)
    og = optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    od = optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    bce, ce = nn.BCEWithLogitsLoss(), nn.CrossEntropyLoss()
    scheduler = optim.lr_scheduler.StepLR(og, step_size=1, gamma=0.9)
    for _epoch in range(2):
        for x, y in loader:
            x, y = x.to(device, non_blocking=True), y.to(device)
            ones = torch.ones(x.size(0), device=device) * 0.9
            zeros = torch.zeros_like(ones)
            z = torch.randn(x.size(0), 10, device=device)
            fake_labels = torch.randint(0, 9, (x.size(0),), device=device)
            fake = g(z, fake_labels)
            (rs, ra), (fs, _) = d(x, y), d(fake.detach(), fake_labels)
            ld = bce(rs, ones) + bce(fs, zeros) + ce(ra, y)
            od.zero_grad(set_to_none=True)
            ld.backward()
            nn.utils.clip_grad_norm_(d.parameters(), 1.0)
            total = sum(p.grad.norm().item() ** 2 for p in d.parameters() if p.grad is not None)
            assert total <= 1.001
            od.step()
            fs, fa = d(fake, fake_labels)
            lg = bce(fs, ones) + F.nll_loss(F.log_softmax(fa, dim=-1), fake_labels)
            og.zero_grad()
            lg.backward()
            og.step()
            seen = set(fake_labels.tolist())
            rows = g.label_emb.weight.grad.abs().sum(1) > 0
            assert {i for i, row in enumerate(rows.tolist()) if row} == seen  # rows that were used
            correct = ra.max(1)[1].eq(y.view_as(ra.argmax(1))).sum().item()
            assert correct == sum(int(row.argmax()) == k for row, k in zip(ra, y, strict=True))
        scheduler.step()
    assert og.param_groups[0]["lr"] == pytest.approx(2e-4 * 0.81)
    g.eval()
    with torch.no_grad():
        y = torch.arange(10).repeat(2).to(device)
        samples = g(torch.randn(20, 10).to(device), y).cpu().numpy()
    assert samples.shape == (20, 1, 8, 8) and samples.min() > 0 and samples.max() < 1
    onehot = torch.zeros(20, 10).scatter_(1, y.cpu().unsqueeze(1), 1.0)
    assert torch.equal(onehot, torch.eye(10)[y.cpu()])
    even = ((y % 2 == 0) & (y > 2)).nonzero().squeeze(1)
    assert set((y[even] // 2).tolist()) == {2, 3, 4}
    torch.save({"g": g.state_dict(), "og": og.state_dict(), "epoch": 1}, tmp_path / "c.pt")
    checkpoint = torch.load(tmp_path / "c.pt", map_location="cpu")
    g.load_state_dict(checkpoint["g"])
    og.load_state_dict(checkpoint["og"])
    assert checkpoint["epoch"] == 1
